//! What an operator decides about logins, connector by connector.

/// The policies of all connectors.
#[derive(Clone, Debug, Default)]
pub struct Policies {
    default: ConnectorPolicy,
}

/// The policy of one connector.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ConnectorPolicy {
    /// Whether a person whom nobody knows gets an account.
    pub registration: Registration,
}

/// Whether a person whom nobody knows gets an account.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Registration {
    /// The first login makes an account.
    #[default]
    Open,
    /// Only people who have an account are let in.
    Closed,
}

impl Policies {
    /// One policy for every connector.
    pub fn uniform(default: ConnectorPolicy) -> Self {
        Self { default }
    }

    /// The policy of the connector with this id.
    pub fn of(&self, _connector: &str) -> ConnectorPolicy {
        self.default
    }
}
