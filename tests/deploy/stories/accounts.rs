//! Every power that a role grants is used: by the story, by AWS itself, or in a situation that no story can play. What is granted and
//! used by nobody is an excess, and fails.

use std::collections::BTreeSet;

use crate::powers::{Asked, Grant};

/// A power that no story can be sure to use: whose, which, on what, and when it is used.
pub(crate) type Exception = (&'static str, &'static str, &'static str, &'static str);

const SET_RIGHT_MEANWHILE: &str = "the clock of a machine is minutes ahead, and Graph's answer to another chore sets it right between two \
     lines of this one, so that what is due now is due minutes later";

const NEVER_SENT: &str = "somebody has died after he had written down that he owes a look, and before he sent it, and a quarter of an \
     hour is over";
const COLLAPSED: &str = "a look that is due in more than a quarter of an hour is put off or brought forward by another, and what is \
     owed of the one is owed of both";

/// Short, and each with the situation.
pub(crate) const NOT_PLAYED: [Exception; 7] = [
    ("steward", "GetItem", "later#changes", SET_RIGHT_MEANWHILE),
    ("steward", "PutItem", "later#changes", SET_RIGHT_MEANWHILE),
    ("steward", "GetItem", "later#remediations", SET_RIGHT_MEANWHILE),
    ("steward", "PutItem", "later#remediations", SET_RIGHT_MEANWHILE),
    ("steward", "GetItem", "lease#changes", NEVER_SENT),
    ("steward", "DeleteItem", "debt#changes#*", COLLAPSED),
    ("remediate", "DeleteItem", "debt#changes#*", COLLAPSED),
];

/// What is wrong, each with what to do about it.
pub(crate) fn complaints(
    grants: &BTreeSet<Grant>,
    asked: &BTreeSet<Asked>,
    exceptions: &[Exception],
) -> Vec<String> {
    let mut complaints = Vec::new();
    for one in asked.iter().filter(|one| !grants.iter().any(|grant| grant.covers(one))) {
        complaints.push(format!("no role grants {one:?}: grant it in infra/aws/template.yaml"));
    }
    let is_used = |grant: &Grant| grant.is_used_by_aws() || asked.iter().any(|one| grant.covers(one));
    for grant in grants.iter().filter(|grant| !is_used(grant)) {
        if !exceptions.iter().any(|(function, action, about, _)| grant.is(function, action, about)) {
            complaints.push(format!(
                "`{grant}` was granted, and nobody used it: take it out of infra/aws/template.yaml, play a situation in which it is \
                 used, or say in NOT_PLAYED in which it is"
            ));
        }
    }
    for (function, action, about, when) in exceptions {
        // It may have been used: what hangs on a race is neither sure to happen nor sure not to.
        if !grants.iter().any(|grant| grant.is(function, action, about)) {
            complaints.push(format!(
                "NOT_PLAYED names `{function} {action} {about}` ({when}), and no role grants it: take it out of there"
            ));
        }
    }
    complaints
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::powers::grants_of;

    fn granting(keys: &[&str]) -> BTreeSet<Grant> {
        let logs = "arn:aws:logs:::log-group:/aws/lambda/guestlist-steward";
        let document = json!({ "Statement": [
            { "Sid": "Log", "Effect": "Allow", "Action": ["logs:PutLogEvents"], "Resource": logs },
            {
                "Sid": "ReadItems",
                "Effect": "Allow",
                "Action": "dynamodb:GetItem",
                "Resource": "arn:aws:dynamodb:::table/t",
                "Condition": { "ForAllValues:StringEquals": { "dynamodb:LeadingKeys": keys } },
            },
        ]});
        grants_of("steward", &document)
    }

    fn asking(keys: &[&str]) -> BTreeSet<Asked> {
        let get = |key: &&str| Asked {
            function: "steward",
            action: "dynamodb:GetItem".to_owned(),
            resource: "arn:aws:dynamodb:::table/t".to_owned(),
            leading: Some((*key).to_owned()),
        };
        keys.iter().map(get).collect()
    }

    #[test]
    fn what_is_used_or_excepted_is_no_excess() {
        let exception = [("steward", "GetItem", "later#changes", "never")];
        let told =
            complaints(&granting(&["lease#chores", "later#changes"]), &asking(&["lease#chores"]), &exception);
        assert_eq!(told, Vec::<String>::new());
    }

    #[test]
    fn what_nobody_used_is_named_with_what_to_do() {
        let told = complaints(&granting(&["lease#chores", "outcome#t"]), &asking(&["lease#chores"]), &[]);
        assert_eq!(
            told,
            [
                "`steward ReadItems dynamodb:GetItem arn:aws:dynamodb:::table/t outcome#t` was granted, and nobody used it: take it out of \
              infra/aws/template.yaml, play a situation in which it is used, or say in NOT_PLAYED in which it is"
            ]
        );
    }

    #[test]
    fn what_no_role_grants_is_named() {
        let told = complaints(&granting(&["lease#chores"]), &asking(&["lease#chores", "outcome#t"]), &[]);
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(told[0].starts_with("no role grants") && told[0].contains("outcome#t"), "{told:?}");
    }

    #[test]
    fn an_exception_goes_when_nobody_grants_it() {
        let exceptions =
            [("steward", "GetItem", "lease#chores", "never"), ("steward", "GetItem", "outcome", "never")];
        let told = complaints(&granting(&["lease#chores"]), &asking(&["lease#chores"]), &exceptions);
        assert_eq!(
            told,
            [
                "NOT_PLAYED names `steward GetItem outcome` (never), and no role grants it: take it out of there",
            ]
        );
    }
}
