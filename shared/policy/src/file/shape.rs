//! One struct for each mapping of the policy file. The comments are what an editor shows beside a key.

use model::{Action, GuestKind, Mode, Severity};
use schemars::JsonSchema;
use serde::Deserialize;

use super::groups::{Groups, Joins, ScenarioJoins, TestGroups};
use super::located::{At, DateText, Entries, IdText, Place, Refused, Text, Words};
use super::vocabulary::Word;
use crate::group::Relation;

/// Keys of the language that this version does not know yet. They are fields below, and not in the published schema.
pub(crate) const NOT_BUILT_KEYS: [&str; 5] = ["inviter", "inviters", "pending_for", "sponsors", "stay"];

#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct File {
    /// The version of the language: 1.
    #[schemars(extend("const" = 1))]
    pub(crate) version: At<u64>,
    /// observe: record and tell. ask: wait for an approver. enforce: act.
    pub(crate) mode: Word<Mode>,
    /// How far the rules go for guests who were there before. Without it they are treated as all others.
    pub(crate) existing: Option<Existing>,
    /// Named lists of domains.
    #[serde(default)]
    pub(crate) lists: Entries<At<ListSource>>,
    /// Outside organisations that scenarios may admit.
    #[serde(default)]
    pub(crate) partners: Entries<At<Partner>>,
    /// Accounts that are never acted on.
    #[serde(default)]
    pub(crate) protect: Protect,
    /// Rules that any match breaks. No scenario overrides them.
    #[serde(default)]
    pub(crate) guardrails: Vec<Guardrail>,
    /// Business reasons for which a guest is admitted.
    #[serde(default)]
    pub(crate) scenarios: Vec<Scenario>,
    /// What happens to those whom no scenario admits.
    pub(crate) otherwise: Option<At<Otherwise>>,
    /// Dated suspensions of named rules for one guest.
    #[serde(default)]
    pub(crate) exceptions: Vec<Exception>,
    /// What this policy must do, checked by `guestlist validate`.
    #[serde(default)]
    pub(crate) tests: Vec<TestCase>,
}

#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Existing {
    /// Guests created before this day (UTC), or with no date, were there before.
    pub(crate) before: DateText,
    /// At most this for them; observe if not written.
    pub(crate) mode: Option<Word<Mode>>,
}

#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ListSource {
    /// Domains (`evil.example`) and what is below a domain (`*.evil.example`).
    pub(crate) entries: Option<Words<Text>>,
    /// A text file with one entry a line; `#` starts a comment.
    pub(crate) file: Option<Text>,
}

#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Partner {
    /// All domains of the organisation.
    pub(crate) domains: Words<Text>,
    /// Who answers for it in this organisation.
    pub(crate) owner: Option<String>,
    /// The last day (UTC) on which it admits anybody.
    pub(crate) until: Option<DateText>,
}

#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Protect {
    /// Object ids.
    pub(crate) users: Option<Words<IdText>>,
    /// Whoever is a member of one of these groups, however deep.
    pub(crate) groups: Option<Groups>,
}

#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Guardrail {
    /// Lower-case letters, digits, `-`.
    pub(crate) id: Text,
    /// The reason, as people are told.
    pub(crate) why: Option<String>,
    /// medium if not written.
    pub(crate) severity: Option<Word<Severity>>,
    /// All of these must hold.
    #[serde(rename = "if")]
    pub(crate) conditions: At<If>,
    /// What is done about a match.
    pub(crate) then: Words<Word<Action>>,
    /// At most this for this rule.
    pub(crate) mode: Option<Word<Mode>>,
}

#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct If {
    /// Lists by name, and patterns: with a dot it is a pattern, without one a list.
    pub(crate) domain: Option<Words<Text>>,
    /// All three kinds if not written.
    pub(crate) kind: Option<Words<Word<GuestKind>>>,
    /// Let `domain` act on a secondary address, too, instead of only telling.
    pub(crate) any_address: Option<At<bool>>,
    /// Which groups the guest is in. One finding for each such group.
    pub(crate) joins: Option<At<Joins>>,
    /// How the guest is in them; member if not written.
    #[serde(rename = "as")]
    pub(crate) relation: Option<Words<Word<Relation>>>,
    #[serde(default)]
    inviter: Refused,
    #[serde(default)]
    sponsors: Refused,
    #[serde(default)]
    pending_for: Refused,
}

#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Scenario {
    /// Lower-case letters, digits, `-`.
    pub(crate) id: Text,
    /// Who answers for it.
    pub(crate) owner: Option<String>,
    /// All of these must hold.
    pub(crate) admits: At<Admits>,
    /// The groups that it covers; every group if not written.
    pub(crate) joins: Option<At<ScenarioJoins>>,
    #[serde(default)]
    stay: Refused,
}

#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Admits {
    /// Partners by name. Every identity address must be of one of them.
    pub(crate) partners: Option<Words<Text>>,
    /// guest if not written: external members and local guests are admitted only where `kind` says so.
    pub(crate) kind: Option<Words<Word<GuestKind>>>,
    #[serde(default)]
    inviters: Refused,
    #[serde(default)]
    sponsors: Refused,
    #[serde(default)]
    pending_for: Refused,
}

#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Otherwise {
    /// No scenario admits the guest. External members and local guests are found only where the `kind` of a scenario
    /// says so.
    pub(crate) guest: Option<OtherwiseRule>,
    /// No scenario that admits the guest covers the group. External members and local guests are found only where the
    /// `kind` of a scenario says so.
    pub(crate) membership: Option<OtherwiseRule>,
}

#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct OtherwiseRule {
    /// medium if not written.
    pub(crate) severity: Option<Word<Severity>>,
    /// What is done.
    pub(crate) then: Words<Word<Action>>,
    /// At most this for this rule.
    pub(crate) mode: Option<Word<Mode>>,
    /// The reason, as people are told.
    pub(crate) why: Option<String>,
}

#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Exception {
    /// Object id.
    pub(crate) guest: IdText,
    /// Object id: only in this group.
    pub(crate) group: Option<IdText>,
    /// Ids of guardrails, `otherwise.guest` or `otherwise.membership`.
    pub(crate) from: Words<Text>,
    /// The last day (UTC) of the exception.
    pub(crate) until: DateText,
    /// Where it was decided.
    pub(crate) ticket: Option<String>,
    /// Who decided it.
    pub(crate) approved_by: Option<String>,
}

#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TestCase {
    /// What must hold, in a sentence.
    pub(crate) name: Text,
    pub(crate) guest: TestGuest,
    /// Each rule that finds something, with the actions that it would carry out, in whichever group. `[]`: people are
    /// told, and nothing is done.
    pub(crate) expect: Entries<Expected>,
    /// The day (UTC) on which this is judged. If not written: before everything that ends.
    pub(crate) on: Option<DateText>,
}

/// What an expectation lists for one rule.
pub(crate) type Expected = Words<Word<Action>>;

#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TestGuest {
    /// Object id, where the policy names it.
    pub(crate) id: Option<IdText>,
    pub(crate) mail: Option<String>,
    pub(crate) other_mails: Option<Words<Text>>,
    /// As Graph writes them: `SMTP:alice@fabrikam.com`.
    pub(crate) proxy_addresses: Option<Words<Text>>,
    /// The address that was invited.
    pub(crate) invited: Option<String>,
    /// guest if not written.
    pub(crate) kind: Option<Word<GuestKind>>,
    /// User principal name.
    pub(crate) upn: Option<String>,
    /// The day (UTC) on which the account was created.
    pub(crate) created: Option<DateText>,
    /// The groups that he is a member of; none if not written.
    pub(crate) member_of: Option<TestGroups>,
    /// The groups that he owns; none if not written.
    pub(crate) owner_of: Option<TestGroups>,
}

type Found = Vec<(&'static str, Place)>;

fn written<const N: usize>(keys: [(&'static str, &Refused); N]) -> Found {
    keys.into_iter().filter_map(|(key, value)| value.0.map(|place| (key, place))).collect()
}

impl File {
    /// Every key in the file that this version does not know yet, with the place of its value.
    pub(crate) fn not_built(&self) -> Found {
        let mut found = Vec::new();
        for guardrail in &self.guardrails {
            let If {
                domain: _,
                kind: _,
                any_address: _,
                joins: _,
                relation: _,
                inviter,
                sponsors,
                pending_for,
            } = &guardrail.conditions.value;
            found.extend(written([
                ("inviter", inviter),
                ("sponsors", sponsors),
                ("pending_for", pending_for),
            ]));
        }
        for scenario in &self.scenarios {
            let Scenario { id: _, owner: _, admits, joins: _, stay } = scenario;
            let Admits { partners: _, kind: _, inviters, sponsors, pending_for } = &admits.value;
            found.extend(written([
                ("inviters", inviters),
                ("sponsors", sponsors),
                ("pending_for", pending_for),
                ("stay", stay),
            ]));
        }
        found
    }

    /// Every place where groups are meant by id or by name, in the order of the language.
    pub(crate) fn groups(&self) -> Vec<&Groups> {
        let joins = self.guardrails.iter().filter_map(|rule| rule.conditions.value.joins.as_ref());
        let guardrails = joins.flat_map(|joins| joins.value.groups());
        let joins = self.scenarios.iter().filter_map(|scenario| scenario.joins.as_ref());
        let scenarios = joins.filter_map(|joins| joins.value.groups.as_ref());
        self.protect.groups.iter().chain(guardrails).chain(scenarios).collect()
    }
}

impl If {
    pub(crate) fn is_empty(&self) -> bool {
        let Self { domain, kind, any_address, joins, relation, inviter, sponsors, pending_for } = self;
        let later = [inviter, sponsors, pending_for];
        let guest = domain.is_none() && kind.is_none() && any_address.is_none();
        guest && joins.is_none() && relation.is_none() && later.iter().all(|key| key.0.is_none())
    }
}

impl Admits {
    pub(crate) fn is_empty(&self) -> bool {
        let Self { partners, kind, inviters, sponsors, pending_for } = self;
        let later = [inviters, sponsors, pending_for];
        partners.is_none() && kind.is_none() && later.iter().all(|key| key.0.is_none())
    }
}

impl Otherwise {
    pub(crate) fn is_empty(&self) -> bool {
        let Self { guest, membership } = self;
        guest.is_none() && membership.is_none()
    }
}
