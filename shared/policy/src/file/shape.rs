//! One struct for each mapping of the policy file. The comments are what an editor shows beside a key.

use model::{Action, GuestKind, Mode, Severity};
use schemars::JsonSchema;
use serde::Deserialize;

use super::groups::{Groups, Joins, ScenarioJoins, TestGroups};
use super::located::{At, DateText, Entries, IdText, SpanText, Text, Words};
use super::people::{Inviter, TestInviter};
use super::vocabulary::Word;
use crate::group::Relation;

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
    /// Whoever invited the guest. Only what the directory audit proves is acted on.
    pub(crate) inviter: Option<At<Inviter>>,
    /// The invitation has not been accepted so long after the account was created: `14d`, `12h`.
    pub(crate) pending_for: Option<SpanText>,
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
    /// It admits each guest for so long after his account was created: `180d`, `12h`.
    pub(crate) stay: Option<SpanText>,
    /// The last day (UTC) on which it admits anybody.
    pub(crate) until: Option<DateText>,
    /// How long before a guest's admission ends people are told. If not written 14 days, or half of a stay that is shorter
    /// than two of these.
    pub(crate) notice: Option<SpanText>,
}

#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Admits {
    /// Partners by name. Every identity address must be of one of them.
    pub(crate) partners: Option<Words<Text>>,
    /// guest if not written: external members and local guests are admitted only where `kind` says so.
    pub(crate) kind: Option<Words<Word<GuestKind>>>,
    /// Whoever invited the guest, as the directory audit proves it. A sponsor admits nobody.
    pub(crate) inviters: Option<At<Inviter>>,
    /// The guest has at least so many sponsors.
    #[schemars(extend("minimum" = 1, "maximum" = 5))]
    pub(crate) sponsors: Option<At<u64>>,
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
    /// The day (UTC) on which the account was created; the day of the test if not written.
    pub(crate) created: Option<DateText>,
    /// The invitation has not been accepted.
    pub(crate) pending: Option<At<bool>>,
    /// Who invited him; an internal member if not written.
    pub(crate) inviter: Option<TestInviter>,
    /// How many sponsors he has; none if not written.
    #[schemars(extend("maximum" = 5))]
    pub(crate) sponsors: Option<At<u64>>,
    /// The groups that he is a member of; none if not written.
    pub(crate) member_of: Option<TestGroups>,
    /// The groups that he owns; none if not written.
    pub(crate) owner_of: Option<TestGroups>,
}

impl File {
    /// Every place where groups are meant by id or by name, in the order of the language.
    pub(crate) fn groups(&self) -> Vec<&Groups> {
        let guardrails = self.guardrails.iter().flat_map(|rule| rule.conditions.value.groups());
        let scenarios = self.scenarios.iter().flat_map(Scenario::groups);
        self.protect.groups.iter().chain(guardrails).chain(scenarios).collect()
    }
}

impl If {
    fn groups(&self) -> impl Iterator<Item = &Groups> {
        let inviter = self.inviter.iter().filter_map(|inviter| inviter.value.group.as_ref());
        inviter.chain(self.joins.iter().flat_map(|joins| joins.value.groups()))
    }

    pub(crate) fn is_empty(&self) -> bool {
        let Self { domain, kind, any_address, joins, relation, inviter, pending_for } = self;
        let guest = domain.is_none() && kind.is_none() && any_address.is_none();
        guest && joins.is_none() && relation.is_none() && inviter.is_none() && pending_for.is_none()
    }
}

impl Scenario {
    fn groups(&self) -> impl Iterator<Item = &Groups> {
        let inviters = self.admits.value.inviters.iter().filter_map(|inviters| inviters.value.group.as_ref());
        inviters.chain(self.joins.iter().filter_map(|joins| joins.value.groups.as_ref()))
    }
}

impl Admits {
    pub(crate) fn is_empty(&self) -> bool {
        let Self { partners, kind, inviters, sponsors } = self;
        partners.is_none() && kind.is_none() && inviters.is_none() && sponsors.is_none()
    }
}

impl Otherwise {
    pub(crate) fn is_empty(&self) -> bool {
        let Self { guest, membership } = self;
        guest.is_none() && membership.is_none()
    }
}
