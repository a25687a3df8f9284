//! A message as Slack's Block Kit shows it, inside all of its limits
//! (<https://docs.slack.dev/reference/block-kit/blocks>). What does not fit is cut with a mark; the commands always fit.
//! Never here: HTTP.

use serde_json::{Map, Value, json};

use crate::atom;
use crate::markup;
use crate::message::Message;
use crate::plain::CUT;
use crate::section::{Line, Piece, Section, Sections, sections};

const MOST_IN_HEADER: usize = 150;
const MOST_IN_SECTION: usize = 3_000;
const MOST_IN_TEXT: usize = 600;
const MOST_IN_LINE: usize = 900;
/// Slack refuses messages for their sum as well, and does not document where: about 11,000 were too many.
const MOST_IN_ALL: usize = 8_000;
/// Kept back for what must not be cut.
const MOST_IN_COMMANDS: usize = 600;
const MOST_IN_FOOTER: usize = 500;
/// The message without blocks.
const MOST_IN_PLAIN: usize = 3_900;
/// However long the sections before it are, each gets this much.
const LEAST_FOR_A_SECTION: usize = 450;

/// The message in blocks, with the text that notifications and screen readers use.
pub(crate) fn payload(message: &Message) -> Map<String, Value> {
    let Sections { body, commands, footer } = sections(message);
    let text = markup::text(&message.headline_pieces, MOST_IN_TEXT);
    let header = markup::text(&message.headline_pieces, MOST_IN_HEADER);
    let left = MOST_IN_ALL
        .saturating_sub(atom::length(&text))
        .saturating_sub(atom::length(&header))
        .saturating_sub(MOST_IN_COMMANDS)
        .saturating_sub(MOST_IN_FOOTER);
    let mut blocks =
        vec![json!({"type": "header", "text": {"type": "plain_text", "text": header, "emoji": false}})];
    let shown = fill(&body, left, |title| format!("*{title}*"), markup::mrkdwn);
    blocks.extend(shown.iter().map(|text| section(text)));
    if !commands.is_empty() {
        blocks.push(section(&lines("", &commands, MOST_IN_COMMANDS, markup::mrkdwn)));
    }
    let footer = markup::mrkdwn(&footer, MOST_IN_FOOTER);
    blocks.push(json!({"type": "context", "elements": [mrkdwn(&footer)]}));
    let mut form = quiet(text);
    form.insert("blocks".to_owned(), blocks.into());
    form
}

/// The message as text alone, for the case that Slack does not take our blocks.
pub(crate) fn plain_payload(message: &Message) -> Map<String, Value> {
    let Sections { body, commands, footer } = sections(message);
    let headline = markup::text(&message.headline_pieces, MOST_IN_TEXT);
    let left = MOST_IN_PLAIN
        .saturating_sub(atom::length(&headline))
        .saturating_sub(MOST_IN_COMMANDS)
        .saturating_sub(MOST_IN_FOOTER);
    let mut parts = vec![headline];
    parts.extend(fill(&body, left, str::to_owned, markup::text));
    parts.push(lines("", &commands, MOST_IN_COMMANDS, markup::text));
    parts.push(markup::text(&footer, MOST_IN_FOOTER));
    unformatted(parts.join("\n"))
}

/// The headline alone.
pub(crate) fn headline_payload(message: &Message) -> Map<String, Value> {
    unformatted(markup::text(&message.headline_pieces, MOST_IN_TEXT))
}

/// Text out of which Slack makes nothing else.
fn unformatted(text: String) -> Map<String, Value> {
    let mut form = quiet(text);
    form.insert("mrkdwn".to_owned(), false.into());
    form.insert("parse".to_owned(), "none".into());
    form
}

fn quiet(text: String) -> Map<String, Value> {
    let mut form = Map::from_iter([("text".to_owned(), text.into())]);
    form.extend(["link_names", "unfurl_links", "unfurl_media"].map(|key| (key.to_owned(), false.into())));
    form
}

/// Every section, each in what the ones before and the least of the ones after leave of `left`.
fn fill(
    body: &[Section],
    mut left: usize,
    heading: impl Fn(&str) -> String,
    show: impl Fn(&[Piece], usize) -> String + Copy,
) -> Vec<String> {
    let mut shown = Vec::new();
    for (n, Section { title, lines: content }) in (1_usize..).zip(body) {
        let after = body.len().saturating_sub(n).saturating_mul(LEAST_FOR_A_SECTION);
        let most = left.saturating_sub(after).clamp(LEAST_FOR_A_SECTION, MOST_IN_SECTION);
        let text = lines(&heading(title), content, most, show);
        left = left.saturating_sub(atom::length(&text));
        shown.push(text);
    }
    shown
}

/// Lines under a heading, as many as fit, with a mark where some do not.
fn lines(heading: &str, lines: &[Line], most: usize, show: impl Fn(&[Piece], usize) -> String) -> String {
    let mark = atom::length(CUT).saturating_add(1);
    let mut text = heading.to_owned();
    for line in lines {
        let room = most.saturating_sub(atom::length(&text)).saturating_sub(mark).saturating_sub(1);
        // Of a line that has to be cut at once nothing would be left but the mark.
        let fits = room >= 2 * mark;
        if !text.is_empty() {
            text.push('\n');
        }
        text.push_str(&if fits { show(line, room.min(MOST_IN_LINE)) } else { CUT.to_owned() });
        if !fits {
            break;
        }
    }
    text
}

fn section(text: &str) -> Value {
    json!({"type": "section", "text": mrkdwn(text)})
}

/// `verbatim` keeps Slack from making links, names and mentions out of plain text.
fn mrkdwn(text: &str) -> Value {
    json!({"type": "mrkdwn", "text": text, "verbatim": true})
}
