//! Guests who choose their names with care.

use model::{
    Action, Approval, Finding, GuestKind, Incident, Mode, ObjectId, Outcome, Plan, Severity, SponsorName,
    State, Step, StepResult, Subject,
};
use proptest::prelude::*;
use serde_json::Value;

use super::{GUEST, at, finding, in_state, met, outcome, slack, subject, webhook};
use crate::{Background, Message, about_incident, about_incident_with, atom, block_kit};

fn texts<'a>(value: &'a Value, found: &mut Vec<&'a str>) {
    match value {
        Value::Object(object) => {
            for (key, value) in object {
                match value {
                    Value::String(text) if key == "text" => found.push(text),
                    value => texts(value, found),
                }
            }
        }
        Value::Array(array) => array.iter().for_each(|value| texts(value, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Every limit of Slack's, and of the webhook's body.
#[track_caller]
pub(super) fn expect_within_limits(message: &Message) {
    let payload = block_kit::payload(message);
    let blocks = payload["blocks"].as_array().unwrap();
    assert!((1..=50).contains(&blocks.len()));
    for block in blocks {
        let (text, most) = match block["type"].as_str().unwrap() {
            "header" => (&block["text"]["text"], 150),
            "section" => (&block["text"]["text"], 3_000),
            "context" => (&block["elements"][0]["text"], 3_000),
            other => panic!("{other}"),
        };
        let length = atom::length(text.as_str().unwrap());
        assert!((1..=most).contains(&length), "{length}: {text}");
    }
    let mut found = Vec::new();
    let payload = Value::Object(payload);
    texts(&payload, &mut found);
    let all: usize = found.iter().map(|text| atom::length(text)).sum();
    assert!(all <= 8_000, "{all}");
    let plain = block_kit::plain_payload(message);
    let length = atom::length(plain["text"].as_str().unwrap());
    assert!((1..=4_000).contains(&length), "{length}");
    let body = crate::event::body(message).unwrap();
    assert!(body.len() <= 20_000, "{}", body.len());
    super::cards::expect_within_limits(message);
    super::pager::expect_within_limits(message);
}

/// Nothing in any text that Slack would take for markup, a mention or a link, whoever wrote it.
#[track_caller]
pub(super) fn expect_harmless(message: &Message) {
    super::cards::expect_harmless(message);
    let payload = Value::Object(block_kit::payload(message));
    let plain = Value::Object(block_kit::plain_payload(message));
    let mut found = Vec::new();
    texts(&payload, &mut found);
    texts(&plain, &mut found);
    for text in found {
        let entities = text.replace("&amp;", "").replace("&lt;", "").replace("&gt;", "");
        assert!(!entities.contains(['<', '>', '&']), "{text}");
        assert!(!text.contains("://"), "{text}");
        assert!(!text.chars().any(|c| c.is_control() && c != '\n'), "{text:?}");
        assert!(!text.contains(['\u{202e}', '\u{2066}', '\u{200b}', '\u{feff}', '\u{2028}']), "{text:?}");
        for line in text.lines() {
            assert_eq!(line.matches('`').count() % 2, 0, "{line}");
            for (n, outside) in line.split('`').enumerate() {
                let bare = n % 2 == 0 && !(outside.starts_with('*') && line == outside);
                assert!(!bare || !outside.contains(['*', '~']), "{line}");
            }
        }
    }
    for text in [payload["text"].as_str().unwrap(), payload["blocks"][0]["text"]["text"].as_str().unwrap()] {
        let dotted = |c: [char; 3]| c[1] == '.' && c[0].is_alphanumeric() && c[2].is_alphanumeric();
        let characters: Vec<char> = text.chars().collect();
        assert!(!characters.windows(3).any(|c| dotted([c[0], c[1], c[2]])), "{text}");
    }
    for flag in ["link_names", "unfurl_links", "unfurl_media"] {
        assert_eq!(payload[flag], false);
        assert_eq!(plain[flag], false);
    }
    for block in payload["blocks"].as_array().unwrap() {
        let text = if block["type"] == "context" { &block["elements"][0] } else { &block["text"] };
        assert!(
            text["type"] == "plain_text" && text["emoji"] == false || text["verbatim"] == true,
            "{block}"
        );
    }
}

/// The guest called so, in every field that he can write.
pub(super) fn called(name: &str) -> Incident {
    let mut subject = subject();
    subject.name = Some(name.to_owned());
    subject.addresses = vec![name.to_owned()];
    subject.organisation = Some(name.to_owned());
    subject.sponsors = vec![SponsorName { id: ObjectId::from_u128(1), name: Some(name.to_owned()) }];
    let mut finding = finding(Mode::Observe);
    finding.reasons = vec![format!("the address `{name}` is not of a partner")];
    met(subject, finding)
}

/// How the name is shown in the first line of "Who".
#[track_caller]
fn check(name: &str, expected: &str) {
    let message = about_incident(&called(name), 1);
    expect_within_limits(&message);
    expect_harmless(&message);
    let shown = slack(&message);
    let line = shown.lines().skip_while(|line| !line.contains("*Who*")).nth(1).unwrap();
    assert_eq!(line, format!("{expected} · guest · account enabled"));
}

#[test]
fn a_name_is_only_ever_a_name() {
    check("<!channel> <!here> <!everyone>", "`&lt;!channel&gt; &lt;!here&gt; &lt;!everyone&gt;`");
    check(
        "<@U024BE7LH> <#C024BE7LR> <!subteam^S1>",
        "`&lt;@U024BE7LH&gt; &lt;#C024BE7LR&gt; &lt;!subteam^S1&gt;`",
    );
    check("@here @channel @everyone", "`@here @channel @everyone`");
    check("<https://evil.example|Approve>", "`&lt;https[:]//evil.example|Approve&gt;`");
    check("https://evil.example", "`https[:]//evil.example`");
    check("*bold* _it_ ~no~ `code` ```more```", "`*bold* _it_ ~no~ 'code' '''more'''`");
    check("&lt;!channel&gt; &amp;amp;", "`&amp;lt;!channel&amp;gt; &amp;amp;amp;`");
    check("> quote\n• item\r\n# head", "`&gt; quote␊• item␍␊# head`");
    check(":white_check_mark: approved", "`:white_check_mark: approved`");
    check("\u{202e}elpmaxe.live@yrollam", "`[U+202E]elpmaxe.live@yrollam`");
    check("\u{2066}\u{2069}\u{200f}", "`[U+2066][U+2069][U+200F]`");
    check("nul\0 bell\u{7} esc\u{1b}[31m", "`nul␀ bell␇ esc␛[31m`");
    check("zero\u{200b}width\u{feff}", "`zero[U+200B]width[U+FEFF]`");
    check("👩\u{200d}💻 Zoë e\u{301}", "`👩\u{200d}💻 Zoë e\u{301}`");
    check(&format!("Z{}", "\u{336}".repeat(900)), &format!("`Z{}`", "\u{336}".repeat(4)));
    check(&"x".repeat(10_000), &format!("`{}… [cut]`", "x".repeat(193)));
    check(&"&".repeat(10_000), &format!("`{}… [cut]`", "&amp;".repeat(68)));
    check(" ", "`(blank)`");
    check("", "`(blank)`");
    check("', \"}]} {\"text\":\"x\"", "`', \"}]} {\"text\":\"x\"`");
}

#[test]
fn a_name_cannot_pass_for_a_command_of_ours() {
    let shown = slack(&about_incident(&called("x`\nUndo: `guestlist stop"), 1));
    assert!(!shown.lines().any(|line| line.starts_with("Undo:")), "{shown}");
}

#[test]
fn hundreds_of_addresses_sponsors_and_reasons_still_fit_with_the_undo_whole() {
    let mut incident = in_state(State::Done { at: at("10:00:05") });
    incident.subject.addresses = vec!["&".repeat(320); 300];
    incident.subject.sponsors = vec![SponsorName { id: GUEST, name: Some("<".repeat(5_000)) }; 300];
    incident.finding.reasons = vec!["`<&>` ".repeat(1_000); 300];
    incident.finding.held_back = incident.finding.reasons.clone();
    incident.left_over = incident.finding.reasons.clone();
    let message = about_incident(&incident, 1);
    expect_within_limits(&message);
    expect_harmless(&message);
    let shown = slack(&message);
    assert!(shown.contains(&format!("Undo: `guestlist undo {} --reason …`", incident.id)), "{shown}");
    assert!(shown.contains("… [cut]"), "{shown}");
    for title in ["Who", "What happened", "What was done", "What is left over"] {
        assert!(shown.contains(&format!("*{title}*\n")), "{title}: {shown}");
    }
    assert_eq!(webhook(&message)["data"]["truncated"], true);
}

pub(super) fn any_text() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        "[<>&`*_~:@!|#./\\\\ \"'a-z\\n\\r\\t\\x00\u{202e}\u{200b}é💥]{0,60}",
        "(https?://|www\\.|<!here>|@channel|:x:|`|\\*|&|<|>|[a-z]{1,5}|\\.|é| ){0,40}",
        Just("<&>`".repeat(3_000)),
    ]
}

pub(super) fn any_state() -> impl Strategy<Value = State> {
    let (then, later) = (at("10:00:05"), at("10:00:35"));
    prop_oneof![
        Just(State::Open),
        Just(State::Done { at: then }),
        Just(State::Sent { since: then, look_again_at: later }),
        any_text().prop_map(|why| State::Refused { why }),
        any_text().prop_map(|why| State::Failed { why }),
        any_text().prop_map(move |why| State::Partly { at: then, why }),
        Just(State::Waiting { since: then, until: later }),
        Just(State::Expired { at: then }),
        (any_text(), any_text()).prop_map(move |(by, reason)| State::Rejected { at: then, by, reason }),
        any_text().prop_map(move |why| State::Resolved { at: then, why }),
        (any_text(), any_text()).prop_map(move |(by, reason)| State::Undone { at: then, by, reason }),
        (any_text(), any_text()).prop_map(move |(by, reason)| State::Undoing {
            since: then,
            look_again_at: later,
            by,
            reason
        }),
    ]
}

pub(super) fn any_subject() -> impl Strategy<Value = Subject> {
    let some_texts = || prop::collection::vec(any_text(), 0..15);
    let maybe = || prop::option::of(any_text());
    (maybe(), some_texts(), maybe(), prop::collection::vec(maybe(), 0..15)).prop_map(
        |(name, addresses, organisation, sponsors)| Subject {
            id: GUEST,
            kind: GuestKind::LocalGuest,
            name,
            addresses,
            organisation,
            sponsors: sponsors.into_iter().map(|name| SponsorName { id: GUEST, name }).collect(),
            created_at: None,
            enabled: Some(false),
        },
    )
}

/// Out of as many groups, with the account disabled before.
fn steps(groups: usize) -> Vec<Step> {
    let groups = (1..).map(ObjectId::from_u128).take(groups);
    let leave = groups.flat_map(|group| {
        [Step::RemoveMember { user: GUEST, group }, Step::RemoveOwner { user: GUEST, group }]
    });
    std::iter::once(Step::Disable { user: GUEST }).chain(leave).collect()
}

pub(super) fn any_finding() -> impl Strategy<Value = Finding> {
    let some_texts = || prop::collection::vec(any_text(), 0..15);
    let lists = (some_texts(), some_texts(), some_texts(), some_texts());
    (lists, prop::option::of(any_text()), any::<bool>(), any::<bool>()).prop_map(
        |((reasons, held_back, by_hand, names), why, unknown, notify)| Finding {
            rule: "blocked-domain".parse().unwrap(),
            object: Some(ObjectId::from_u128(1)),
            severity: Severity::Critical,
            why,
            reasons,
            mode: Mode::Ask,
            held_back,
            actions: vec![if notify { Action::Notify } else { Action::LeaveGroups }],
            plan: if notify { Plan::default() } else { Plan { steps: steps(names.len()) } },
            by_hand,
            names: (1..).map(ObjectId::from_u128).zip(names).collect(),
            unknown,
            refused: None,
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn whatever_a_guest_writes_the_alert_fits_and_is_harmless(
        subject in any_subject(),
        finding in any_finding(),
        state in any_state(),
        left_over in prop::collection::vec(any_text(), 0..15),
        words in (any_text(), any_text()),
    ) {
        let (by, reason) = words.clone();
        let plan = finding.plan.clone();
        let approval = Some(Approval { by, reason, at: at("10:00:01"), plan: plan.clone(), identity: None, spent: true, request: None });
        let waits_because = Some(words.0.clone());
        let incident = Incident { state, left_over, approval, waits_because, ..met(subject, finding) };
        let outcomes: Vec<Outcome> = plan
            .steps
            .iter()
            .map(|step| outcome(*step, StepResult::Failed { why: words.1.clone() }))
            .collect();
        let message = about_incident_with(&incident, 1, Background { outcomes: &outcomes, suspension: None, stop: None });
        expect_within_limits(&message);
        expect_harmless(&message);
        let show = format!("Details: `guestlist incidents show {}`", incident.id);
        prop_assert!(slack(&message).contains(&show));
        prop_assert!(block_kit::plain_payload(&message)["text"].as_str().unwrap().contains(&incident.id.to_string()));
    }

    #[test]
    fn whatever_stands_in_a_roll_up_or_notice_fits_and_is_harmless(headlines in prop::collection::vec(any_text(), 0..40)) {
        let lines: Vec<_> = headlines
            .iter()
            .map(|text| model::RolledUp { about: text.clone(), headline: text.clone(), severity: Severity::Low })
            .collect();
        let message = crate::roll_up(&crate::next_roll_up(&lines), lines.len(), at("10:00:00"), at("10:00:00"));
        expect_within_limits(&message);
        expect_harmless(&message);
        for text in headlines {
            let notice = model::Notice::new(text.clone(), model::NoticeKind::GuestVanished, text, &[], at("10:00:00"));
            let message = crate::about_notice(&notice, 1);
            expect_within_limits(&message);
            expect_harmless(&message);
        }
    }
}
