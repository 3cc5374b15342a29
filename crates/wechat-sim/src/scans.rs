//! One QR code from the page that shows it to the phone that confirms it.

use std::collections::HashMap;

use crate::random;

/// Reported by developers as about five minutes; not documented.
const UUID_LIFE: u64 = 300;

/// Every QR code on a page somewhere.
#[derive(Debug, Default)]
pub(crate) struct Scans {
    scans: HashMap<String, Scan>,
    /// The uuids, oldest first.
    order: Vec<String>,
}

/// A login waiting for a phone.
#[derive(Debug, Clone)]
pub(crate) struct Scan {
    pub(crate) login: QrLogin,
    pub(crate) status: Status,
    expires_at: u64,
}

/// What the page was opened for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct QrLogin {
    pub(crate) appid: String,
    pub(crate) redirect_uri: String,
    pub(crate) state: String,
}

/// How far a scan has come, as the long poll tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Status {
    Waiting,
    Scanned { person: String },
    Confirmed { code: String },
    Cancelled,
    Expired,
}

/// Why the phone cannot do this with a QR code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ScanError {
    /// Never shown, too old, or already used for a login.
    #[error("this QR code has expired or was used")]
    Expired,
    /// Confirming or refusing needs the phone that scanned.
    #[error("somebody else has scanned this QR code")]
    ScannedByAnother,
}

impl Scans {
    /// Makes a new QR code and returns its uuid: 16 characters.
    pub(crate) fn open(&mut self, login: QrLogin, now: u64) -> String {
        self.scans.retain(|_, scan| now < scan.expires_at);
        let uuid = random::alphanumeric(16);
        let scan = Scan { login, status: Status::Waiting, expires_at: now.saturating_add(UUID_LIFE) };
        self.scans.insert(uuid.clone(), scan);
        self.order.retain(|uuid| self.scans.contains_key(uuid));
        self.order.push(uuid.clone());
        uuid
    }

    /// What stands on screens and could be scanned: uuid and appid, the latest first.
    pub(crate) fn waiting(&self, now: u64) -> impl Iterator<Item = (&str, &str)> {
        let scans = self.order.iter().rev().filter_map(|uuid| self.scans.get_key_value(uuid));
        let waiting = scans.filter(move |(_, scan)| now < scan.expires_at && scan.status == Status::Waiting);
        waiting.map(|(uuid, scan)| (uuid.as_str(), scan.login.appid.as_str()))
    }

    /// An unknown uuid is an expired one: the page cannot tell, and reloads.
    pub(crate) fn status(&self, uuid: &str, now: u64) -> Status {
        match self.scans.get(uuid) {
            Some(scan) if now < scan.expires_at => scan.status.clone(),
            _ => Status::Expired,
        }
    }

    /// A phone reads the code; the last phone to do so is the one that may answer.
    pub(crate) fn scan(&mut self, uuid: &str, person: &str, now: u64) -> Result<QrLogin, ScanError> {
        let scan = self.live(uuid, now)?;
        scan.status = Status::Scanned { person: person.to_owned() };
        Ok(scan.login.clone())
    }

    /// The login that `person` is about to answer; scans first where nobody has.
    pub(crate) fn scanned_by(&mut self, uuid: &str, person: &str, now: u64) -> Result<QrLogin, ScanError> {
        match &self.live(uuid, now)?.status {
            Status::Scanned { person: scanner } if scanner != person => Err(ScanError::ScannedByAnother),
            _ => self.scan(uuid, person, now),
        }
    }

    pub(crate) fn confirm(&mut self, uuid: &str, code: String) {
        self.set(uuid, Status::Confirmed { code });
    }

    pub(crate) fn cancel(&mut self, uuid: &str) {
        self.set(uuid, Status::Cancelled);
    }

    pub(crate) fn expire(&mut self, uuid: &str) {
        self.set(uuid, Status::Expired);
    }

    fn set(&mut self, uuid: &str, status: Status) {
        if let Some(scan) = self.scans.get_mut(uuid) {
            scan.status = status;
        }
    }

    fn live(&mut self, uuid: &str, now: u64) -> Result<&mut Scan, ScanError> {
        self.scans
            .get_mut(uuid)
            .filter(|scan| now < scan.expires_at)
            .filter(|scan| !matches!(scan.status, Status::Confirmed { .. } | Status::Expired))
            .ok_or(ScanError::Expired)
    }
}
