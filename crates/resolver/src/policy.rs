//! What an operator decides about logins, connector by connector.
//!
//! Policies are stored, and changed at run time by the admin API; a connector without one has the default of the
//! command line.

use resolver_api::{ProofMethod, RefusalReason};
use serde::{Deserialize, Serialize};

/// The policy of one connector of one pool.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ConnectorPolicy {
    /// Whether a person whom nobody knows may get an account.
    #[serde(default)]
    pub registration: Registration,
    /// How a person whom nobody knows finds an account that exists.
    #[serde(default)]
    pub binding: Binding,
    /// What happens when no account was found.
    #[serde(default)]
    pub on_no_match: OnNoMatch,
    /// For [`Binding::Ask`]: the ways to prove an account, in the order in which they are shown.
    #[serde(default = "all_methods")]
    pub methods: Vec<ProofMethod>,
}

/// By what a resolver decides first logins, beside what is stored: another one on the same database may have other terms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Terms {
    /// The policy of a connector that has none of its own.
    pub default: ConnectorPolicy,
    /// The ways to prove an account that work here: a code that cannot be sent proves nothing.
    pub methods: Vec<ProofMethod>,
}

/// What an operator decided about a connector.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredPolicy {
    /// The connector's id in the filter's configuration.
    pub connector: String,
    /// The decision.
    pub policy: ConnectorPolicy,
    /// When it was made, in Unix seconds.
    pub changed_at: u64,
}

/// Whether a person whom nobody knows may get an account.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum Registration {
    /// A first login may make an account.
    #[default]
    Open,
    /// Only people who have an account are let in.
    Closed,
}

/// How a first login finds an account that exists.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum Binding {
    /// Not at all.
    #[default]
    None,
    /// By the phone number that WeChat delivered, where exactly one account has it verified.
    Field,
    /// By asking the person to prove it.
    Ask,
}

/// What happens to a first login for which no account was found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum OnNoMatch {
    /// It makes an account, where registration is open.
    #[default]
    Create,
    /// It is refused.
    Refuse,
}

impl ConnectorPolicy {
    /// Whether a login may make an account.
    pub fn may_create(&self) -> bool {
        self.registration == Registration::Open && self.on_no_match == OnNoMatch::Create
    }

    /// Why a login may not make an account.
    pub fn refusal(&self) -> RefusalReason {
        match self.registration {
            Registration::Open => RefusalReason::NoMatch,
            Registration::Closed => RefusalReason::RegistrationClosed,
        }
    }
}

impl Terms {
    /// What the policy comes to here: nobody is offered what does not work.
    pub fn narrow(&self, mut policy: ConnectorPolicy) -> ConnectorPolicy {
        policy.methods.retain(|method| self.methods.contains(method));
        policy
    }
}

impl Default for ConnectorPolicy {
    fn default() -> Self {
        Self { registration: Registration::Open, binding: Binding::None, on_no_match: OnNoMatch::Create, methods: ALL_METHODS.to_vec() }
    }
}

/// Every way to prove an account.
pub const ALL_METHODS: [ProofMethod; 3] = [ProofMethod::PhoneCode, ProofMethod::EmailCode, ProofMethod::Password];

fn all_methods() -> Vec<ProofMethod> {
    ALL_METHODS.to_vec()
}
