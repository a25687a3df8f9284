//! Guardrails, scenarios and `otherwise`.

use std::collections::BTreeSet;

use model::{Action, GuestKind, RuleId};

use super::Compiler;
use super::lists::Lists;
use super::people::Asks;
use crate::conditions::{
    Condition, DomainCondition, DomainSource, InviterCondition, KindCondition, PendingForCondition,
};
use crate::domain::{DomainMap, Pattern, Purpose, shortened};
use crate::file::{self, At, File, If, Text, Word, Words};
use crate::group::Relation;
use crate::nearest;
use crate::policy::{Guardrail, Head, OTHERWISE_GUEST, OTHERWISE_MEMBERSHIP, Otherwise, Scenario};

/// The rules that the file has, as an exception or a test may name them.
#[derive(Debug)]
pub(super) struct RuleNames {
    /// That make findings.
    findings: Vec<String>,
    /// Those whose findings are about groups.
    about_groups: BTreeSet<String>,
    scenarios: Vec<String>,
}

impl RuleNames {
    pub(super) fn of(file: &File) -> Self {
        let mut findings: Vec<String> = file.guardrails.iter().map(|rule| rule.id.value.clone()).collect();
        let joins = file.guardrails.iter().filter(|rule| rule.conditions.value.joins.is_some());
        let mut about_groups: BTreeSet<String> = joins.map(|rule| rule.id.value.clone()).collect();
        about_groups.insert(OTHERWISE_MEMBERSHIP.to_owned());
        for question in [Question::Guest, Question::Membership] {
            if question.rule_in(file).is_some() {
                findings.push(question.rule_id().to_owned());
            }
        }
        let scenarios = file.scenarios.iter().map(|scenario| scenario.id.value.clone()).collect();
        Self { findings, about_groups, scenarios }
    }

    pub(super) fn is_about_groups(&self, rule: &RuleId) -> bool {
        self.about_groups.contains(rule.as_str())
    }
}

/// The two questions that `otherwise` answers.
#[derive(Debug, Clone, Copy)]
pub(super) enum Question {
    Guest,
    Membership,
}

impl Question {
    fn rule_id(self) -> &'static str {
        match self {
            Self::Guest => OTHERWISE_GUEST,
            Self::Membership => OTHERWISE_MEMBERSHIP,
        }
    }

    fn rule_in(self, file: &File) -> Option<&file::OtherwiseRule> {
        let otherwise = &file.otherwise.as_ref()?.value;
        match self {
            Self::Guest => otherwise.guest.as_ref(),
            Self::Membership => otherwise.membership.as_ref(),
        }
    }
}

/// What the findings of a rule are about, which decides what may be done about them.
#[derive(Debug, Clone)]
enum About {
    TheGuest,
    Memberships(BTreeSet<Relation>),
}

impl Compiler<'_> {
    /// An id names one rule or scenario.
    pub(super) fn rule_ids(&mut self, file: &File) {
        let mut seen = BTreeSet::new();
        let guardrails = file.guardrails.iter().map(|rule| &rule.id);
        for id in guardrails.chain(file.scenarios.iter().map(|scenario| &scenario.id)) {
            if id.value == "otherwise" || id.value.starts_with("otherwise.") {
                let message = format!("id `{}` is taken by the policy language", id.value);
                self.problem(id.place, message, Some("choose another".to_owned()));
            }
            if !seen.insert(&id.value) {
                let message = format!("id `{}` is given twice", shortened(&id.value));
                self.problem(id.place, message, Some("give each rule and scenario its own".to_owned()));
            }
        }
    }

    /// A rule that findings can be of.
    pub(super) fn known_rule(&mut self, text: &Text, names: &RuleNames) -> Option<RuleId> {
        let name = text.value.as_str();
        if names.findings.iter().any(|known| known == name) {
            // A bad id was reported where it is given.
            return name.parse().ok();
        }
        let known = names.findings.iter().map(String::as_str);
        if names.scenarios.iter().any(|scenario| scenario == name) {
            let message = format!("`{name}` is a scenario, which finds nothing");
            self.problem(text.place, message, Some(format!("name a guardrail or `{OTHERWISE_GUEST}`")));
        } else {
            let message = format!("rule `{}` does not exist", shortened(name));
            self.problem(text.place, message, nearest::hint(name, known));
        }
        None
    }

    pub(super) fn rule_id(&mut self, text: &Text) -> Option<RuleId> {
        match text.value.parse() {
            Ok(id) => Some(id),
            Err(error) => {
                let error: model::ParseIdError = error;
                self.problem(text.place, error.to_string(), None);
                None
            }
        }
    }

    pub(super) fn guardrails(&mut self, guardrails: &[file::Guardrail], lists: &Lists) -> Vec<Guardrail> {
        guardrails.iter().filter_map(|guardrail| self.guardrail(guardrail, lists)).collect()
    }

    fn guardrail(&mut self, guardrail: &file::Guardrail, lists: &Lists) -> Option<Guardrail> {
        let file::Guardrail { id, why, severity, conditions, then, mode } = guardrail;
        let joins = self.joins(&conditions.value);
        let about =
            joins.as_ref().map_or(About::TheGuest, |joins| About::Memberships(joins.relations.clone()));
        let head = self.head(id, why.as_ref(), severity.as_ref(), then, mode.as_ref(), &about);
        let conditions = self.conditions(conditions, lists);
        Some(Guardrail { head: head?, conditions, joins })
    }

    fn head(
        &mut self,
        id: &Text,
        why: Option<&String>,
        severity: Option<&Word<model::Severity>>,
        then: &Words<Word<Action>>,
        mode: Option<&Word<model::Mode>>,
        about: &About,
    ) -> Option<Head> {
        self.not_empty("then", then, "write `[notify]` to tell and do nothing else");
        for word in &then.items {
            if let Some((message, hint)) = word.value().ok().and_then(|action| misfit(action, about)) {
                self.problem(word.text.place, message, Some(hint.to_owned()));
            }
        }
        self.one_of_two_ways_out(then, about);
        self.deletion_stands_alone(then);
        let id = self.rule_id(id);
        let severity = severity.map_or(Some(model::Severity::Medium), |severity| self.word(severity));
        let actions = self.words(then);
        let mode = mode.and_then(|mode| self.word(mode));
        Some(Head { id: id?, why: why.cloned(), severity: severity?, mode, actions })
    }

    /// Whoever leaves all his groups leaves this one.
    fn one_of_two_ways_out(&mut self, then: &Words<Word<Action>>, about: &About) {
        let asks = |word: &Word<Action>, action: Action| word.value().ok() == Some(action);
        if !then.items.iter().any(|word| asks(word, Action::LeaveGroups)) {
            return;
        }
        for word in then.items.iter().filter(|word| asks(word, Action::LeaveGroup)) {
            if misfit(Action::LeaveGroup, about).is_none() {
                let message = "`leave-groups` takes him out of that group, too";
                self.problem(word.text.place, message, Some("remove `leave-group`".to_owned()));
            }
        }
    }

    /// What a deletion takes with it could not be read back any more, and a restoration brings all of it back at once.
    fn deletion_stands_alone(&mut self, then: &Words<Word<Action>>) {
        let action = |word: &Word<Action>| word.value().ok();
        if !then.items.iter().any(|word| action(word) == Some(Action::Delete)) {
            return;
        }
        for word in &then.items {
            let needless = match action(word) {
                Some(
                    needless @ (Action::Disable
                    | Action::LeaveGroup
                    | Action::LeaveGroups
                    | Action::DropOwnership),
                ) => needless,
                Some(Action::Delete | Action::Notify) | None => continue,
            };
            let message = "`delete` takes the sign-in, the memberships and the ownerships with the account";
            self.problem(word.text.place, message, Some(format!("remove `{needless}`")));
        }
    }

    fn conditions(&mut self, conditions: &At<If>, lists: &Lists) -> Vec<Condition> {
        if conditions.value.is_empty() {
            let hint = "write a condition (`domain`, `kind`, `inviter`, `pending_for`, `joins`)".to_owned();
            self.problem(conditions.place, "`if` is empty and would match everybody", Some(hint));
        }
        let If { domain, kind, any_address, inviter, pending_for, joins: _, relation: _ } = &conditions.value;
        let mut all = Vec::new();
        match (domain, any_address) {
            (Some(domain), any) => {
                let any_address = any.as_ref().is_some_and(|any| any.value);
                all.push(Condition::Domain(self.domain_condition(domain, any_address, lists)));
            }
            (None, Some(any)) => {
                let hint = "write `domain` beside it, or remove it".to_owned();
                self.problem(any.place, "`any_address` says nothing without `domain`", Some(hint));
            }
            (None, None) => {}
        }
        all.push(Condition::Kind(match kind {
            Some(kind) => KindCondition::written(self.kinds(kind)),
            None => KindCondition::implied(),
        }));
        all.extend(inviter.as_ref().map(|inviter| {
            let matcher = self.inviter(inviter, Asks::Forbids(lists));
            Condition::Inviter(InviterCondition { matcher })
        }));
        let span = pending_for.as_ref().and_then(|span| self.span(span));
        all.extend(span.map(|span| Condition::PendingFor(PendingForCondition { span })));
        all
    }

    pub(super) fn kinds(&mut self, kinds: &Words<Word<GuestKind>>) -> BTreeSet<GuestKind> {
        self.not_empty("kind", kinds, "name a kind, or remove the key");
        self.words(kinds).into_iter().collect()
    }

    fn domain_condition(&mut self, words: &Words<Text>, any_address: bool, lists: &Lists) -> DomainCondition {
        DomainCondition { sources: self.domain_sources(words, lists), any_address }
    }

    pub(super) fn domain_sources(&mut self, words: &Words<Text>, lists: &Lists) -> Vec<DomainSource> {
        self.not_empty("domain", words, "name lists and patterns");
        let mut sources = Vec::new();
        let mut patterns = DomainMap::default();
        let mut texts = Vec::new();
        for word in &words.items {
            if let Some(list) = lists.get(&word.value) {
                sources.push(DomainSource::List { name: word.value.clone(), patterns: list });
            } else if is_name(&word.value) {
                let message = format!("list `{}` does not exist", shortened(&word.value));
                let hint = nearest::hint(&word.value, lists.names());
                self.problem(word.place, message, hint.or(Some("add it under `lists`".to_owned())));
            } else {
                match Pattern::parse(&word.value, Purpose::Deny) {
                    Ok(pattern) => {
                        texts.push(pattern.to_string());
                        *patterns.entry(pattern) = ();
                    }
                    Err(error) => self.bad_pattern(word, &error),
                }
            }
        }
        if !texts.is_empty() {
            sources.push(DomainSource::Written { patterns, texts });
        }
        sources
    }

    pub(super) fn otherwise(
        &mut self,
        file: &File,
        question: Question,
        scenarios: &[Scenario],
    ) -> Option<Otherwise> {
        let place = file.otherwise.as_ref()?.place;
        let file::OtherwiseRule { severity, then, mode, why } = question.rule_in(file)?;
        let about = match question {
            Question::Guest => About::TheGuest,
            Question::Membership => About::Memberships(Relation::ALL.into()),
        };
        let id = At { value: question.rule_id().to_owned(), place };
        let head = self.head(&id, why.as_ref(), severity.as_ref(), then, mode.as_ref(), &about)?;
        let spoken_of = scenarios.iter().flat_map(|scenario| scenario.kinds.iter().copied());
        Some(Otherwise { head, kinds: spoken_of.chain([GuestKind::Guest]).collect() })
    }

    pub(super) fn otherwise_as_a_whole(&mut self, file: &File) {
        let Some(otherwise) = &file.otherwise else { return };
        if otherwise.value.is_empty() {
            let hint = "write `guest:` or `membership:` below it, or remove it".to_owned();
            self.problem(otherwise.place, "`otherwise` is empty", Some(hint));
        } else if file.scenarios.is_empty() {
            let hint = "write under `scenarios` who is admitted, or remove `otherwise`".to_owned();
            let place = self.place_of_key("otherwise", otherwise.place);
            self.problem(place, "`otherwise` without scenarios would find every guest", Some(hint));
        }
    }
}

/// Why the action has nothing to act on in such a rule, and what to write.
fn misfit(action: Action, about: &About) -> Option<(String, &'static str)> {
    let needed = match action {
        Action::LeaveGroup => Relation::Member,
        Action::DropOwnership => Relation::Owner,
        Action::Disable | Action::LeaveGroups | Action::Delete | Action::Notify => return None,
    };
    match (about, needed) {
        (About::TheGuest, Relation::Member) => Some((
            format!("action `{action}` needs to know which group"),
            "write `leave-groups` for all his groups, or `joins` under the rule's `if`",
        )),
        (About::TheGuest, Relation::Owner) => Some((
            format!("action `{action}` needs to know which group"),
            "write `joins: { any_group: true }, as: owner` under the `if` of a guardrail",
        )),
        (About::Memberships(relations), _) if relations.contains(&needed) => None,
        (About::Memberships(_), Relation::Member) => Some((
            format!("action `{action}` takes out members, and the rule is about owners alone"),
            "write `as: [member, owner]` beside `joins`, or `drop-ownership`",
        )),
        (About::Memberships(_), Relation::Owner) => Some((
            format!("action `{action}` is for owners, and the rule is about members alone"),
            "write `as: owner` beside `joins`, or `leave-group`",
        )),
    }
}

/// Without a dot, and not meant as a pattern or an address: the name of a list.
pub(super) fn is_name(text: &str) -> bool {
    !text.contains(['.', '*', '@', ':', '/', '。', '．', '｡'])
}
