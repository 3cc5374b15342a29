//! Connectors' policies, as an administrator sets them, with a word about those that surprise.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};

use super::fields::FieldProblem;
use crate::policy::{Binding, ConnectorPolicy, Terms};

/// The policy of a connector.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct PolicyView {
    /// The pool.
    pub pool: String,
    /// The connector's id in the filter's configuration.
    pub connector: String,
    /// What was decided.
    pub policy: ConnectorPolicy,
    /// When it was set, or 0 for the default of the command line.
    pub changed_at: u64,
    /// What may not be what was meant. In English, for people.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

/// Checks what the type of a policy cannot.
///
/// # Errors
///
/// A method stands there twice, or none does although the person is to be asked.
pub fn check(policy: &ConnectorPolicy) -> Result<(), FieldProblem> {
    let different: HashSet<_> = policy.methods.iter().collect();
    if different.len() < policy.methods.len() {
        return Err(FieldProblem::new("methods", "each at most once"));
    }
    if policy.binding == Binding::Ask && policy.methods.is_empty() && !policy.may_create() {
        return Err(FieldProblem::new("methods", "at least one, for the person is asked and may not make an account"));
    }
    Ok(())
}

/// What may not be what was meant, on these terms.
pub fn warnings(policy: &ConnectorPolicy, terms: &Terms) -> Vec<String> {
    let mut warnings = Vec::new();
    if !policy.may_create() && policy.binding == Binding::None {
        warnings.push("nobody gets in but those whose identity is known already: no account is made, and none is looked for");
    }
    if policy.binding == Binding::Field {
        warnings.push(
            "only methods that deliver WeChat's phone number find an account by it: by any other one, every stranger counts as not found",
        );
    }
    if policy.binding == Binding::Ask {
        let left = terms.narrow(policy.clone()).methods.len();
        if left == 0 && policy.may_create() {
            warnings.push("nobody is asked, for no method is left that works here: every stranger gets a new account");
        } else if left == 0 {
            warnings.push("nobody is asked, for no method is left that works here: every stranger is refused");
        } else if left < policy.methods.len() {
            warnings.push("a method is left out, for this resolver has no way to send its codes");
        }
    }
    warnings.into_iter().map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use resolver_api::ProofMethod;

    use super::*;
    use crate::policy::{OnNoMatch, Registration};

    #[test]
    fn a_policy_that_contradicts_itself_is_refused() {
        let twice = ConnectorPolicy { methods: vec![ProofMethod::Password, ProofMethod::Password], ..ConnectorPolicy::default() };
        assert_eq!(check(&twice).unwrap_err().to_string(), "methods: expected each at most once");
        let dead_end =
            ConnectorPolicy { binding: Binding::Ask, methods: vec![], registration: Registration::Closed, ..ConnectorPolicy::default() };
        assert!(check(&dead_end).is_err());
        assert!(check(&ConnectorPolicy { registration: Registration::Open, ..dead_end }).is_ok());
        assert!(check(&ConnectorPolicy::default()).is_ok());
    }

    #[test]
    fn a_policy_that_surprises_is_explained() {
        let warnings = |policy: &ConnectorPolicy| {
            let terms = Terms { default: ConnectorPolicy::default(), methods: vec![ProofMethod::Password, ProofMethod::EmailCode] };
            warnings(policy, &terms)
        };
        assert!(warnings(&ConnectorPolicy::default()).is_empty());
        let nobody = ConnectorPolicy { on_no_match: OnNoMatch::Refuse, ..ConnectorPolicy::default() };
        assert!(warnings(&nobody)[0].starts_with("nobody gets in"));
        let field = ConnectorPolicy { binding: Binding::Field, ..ConnectorPolicy::default() };
        assert!(warnings(&field)[0].contains("phone number"));

        let ask =
            |methods: &[ProofMethod]| ConnectorPolicy { binding: Binding::Ask, methods: methods.to_vec(), ..ConnectorPolicy::default() };
        assert!(warnings(&ask(&[ProofMethod::Password, ProofMethod::EmailCode])).is_empty());
        assert!(warnings(&ask(&[ProofMethod::Password, ProofMethod::PhoneCode]))[0].starts_with("a method is left out"));
        for methods in [&[][..], &[ProofMethod::PhoneCode]] {
            assert!(warnings(&ask(methods))[0].ends_with("every stranger gets a new account"));
            let closed = ConnectorPolicy { registration: Registration::Closed, ..ask(methods) };
            assert!(warnings(&closed)[0].ends_with("every stranger is refused"));
        }
    }
}
