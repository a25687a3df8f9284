//! A message as an Adaptive Card for Teams, inside the bytes that a workflow takes
//! (<https://learn.microsoft.com/microsoftteams/platform/task-modules-and-cards/cards/cards-reference>). One line is one
//! text block; what does not fit is cut by whole lines, and the card says so. No buttons: a card that comes from a webhook
//! cannot have any that act.
//! Never here: HTTP.

use serde_json::{Value, json};

use crate::card_text;
use crate::message::{Kind, Message};
use crate::plain::CUT;
use crate::section::{Line, Section, Sections, sections};

/// Teams names about 28 KB for all of a message, and webhooks have refused from 21 kB on.
pub(crate) const MOST_BYTES: usize = 20_000;
/// UTF-16 units, of which each is at most three bytes.
const MOST_IN_LINE: usize = 700;
const MOST_IN_HEADLINE: usize = 500;
const MOST_IN_COMMAND: usize = 400;
/// Bytes. However long the sections before it are, each gets this much: its title, one line of any length, and the mark.
const LEAST_FOR_A_SECTION: usize = 2_500;
/// Bytes of the line that says how many lines were cut.
const MARK: usize = 130;

/// The message as it is posted.
pub(crate) fn payload(message: &Message) -> Value {
    let Sections { body, commands, footer } = sections(message);
    let mut top = vec![headline(message)];
    let bottom = commands_and_footer(&commands, &footer);
    let used = bytes(&envelope(Vec::new())).saturating_add(cost(&top)).saturating_add(cost(&bottom));
    top.extend(fill(&body, MOST_BYTES.saturating_sub(used)));
    top.extend(bottom);
    envelope(top)
}

/// What must not be lost, for the case that Teams does not take the whole card.
pub(crate) fn short_payload(message: &Message) -> Value {
    let Sections { body: _, commands, footer } = sections(message);
    let mut blocks = vec![headline(message)];
    blocks.push(quiet(&format!("{CUT} all but this, because Teams did not take the whole message")));
    blocks.extend(commands_and_footer(&commands, &footer));
    envelope(blocks)
}

fn envelope(body: Vec<Value>) -> Value {
    json!({
        "type": "message",
        "attachments": [{
            "contentType": "application/vnd.microsoft.card.adaptive",
            "contentUrl": null,
            "content": {
                "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
                "type": "AdaptiveCard",
                "version": "1.4",
                "body": body,
                "msteams": {"width": "full"},
            },
        }],
    })
}

fn headline(message: &Message) -> Value {
    let text = card_text::bare(&message.headline_pieces, MOST_IN_HEADLINE);
    json!({
        "type": "TextBlock", "text": text, "weight": "Bolder", "size": "Medium", "wrap": true, "style": "heading",
        "color": colour(message.kind),
    })
}

/// Red for what somebody must look at, green for what is over.
fn colour(kind: Kind) -> &'static str {
    match kind {
        Kind::Unknown | Kind::Waiting | Kind::Partly | Kind::Refused | Kind::Failed | Kind::Expired => {
            "Attention"
        }
        Kind::Finding | Kind::Acting | Kind::Undoing | Kind::Notice | Kind::RollUp => "Warning",
        Kind::Done | Kind::Undone | Kind::Rejected | Kind::Resolved => "Good",
    }
}

fn title(text: &str) -> Value {
    json!({"type": "TextBlock", "text": text, "weight": "Bolder", "wrap": true, "spacing": "Medium"})
}

fn line(text: &str) -> Value {
    json!({"type": "TextBlock", "text": text, "wrap": true, "spacing": "None"})
}

fn quiet(text: &str) -> Value {
    json!({"type": "TextBlock", "text": text, "wrap": true, "isSubtle": true, "size": "Small"})
}

fn commands_and_footer(commands: &[Line], footer: &Line) -> Vec<Value> {
    let command = |line: &Line| {
        let text = card_text::bare(line, MOST_IN_COMMAND);
        json!({"type": "TextBlock", "text": text, "wrap": true, "fontType": "Monospace", "spacing": "Small"})
    };
    let mut blocks: Vec<Value> = commands.iter().map(command).collect();
    blocks.push(quiet(&card_text::bare(footer, MOST_IN_HEADLINE)));
    blocks
}

/// Every section, each in what the ones before and the least of the ones after leave of `left` bytes.
fn fill(body: &[Section], mut left: usize) -> Vec<Value> {
    let mut shown = Vec::new();
    for (n, section) in (1_usize..).zip(body) {
        let after = body.len().saturating_sub(n).saturating_mul(LEAST_FOR_A_SECTION);
        let blocks = lines(section, left.saturating_sub(after).max(LEAST_FOR_A_SECTION));
        left = left.saturating_sub(cost(&blocks));
        shown.extend(blocks);
    }
    shown
}

/// A section's lines, as many as fit into `most` bytes, with a mark where some do not.
fn lines(section: &Section, most: usize) -> Vec<Value> {
    let Section { title: heading, lines } = section;
    let mut blocks = vec![title(heading)];
    let mut used = cost(&blocks).saturating_add(MARK);
    for (n, pieces) in lines.iter().enumerate() {
        let block = line(&card_text::line(pieces, MOST_IN_LINE));
        used = used.saturating_add(cost(std::slice::from_ref(&block)));
        if used > most {
            let more = lines.len().saturating_sub(n);
            let words = if more == 1 { "line" } else { "lines" };
            blocks.push(quiet(&format!("{CUT} {more} more {words}")));
            break;
        }
        blocks.push(block);
    }
    blocks
}

fn bytes(value: &Value) -> usize {
    value.to_string().len()
}

/// Bytes in the body's list, commas included.
fn cost(blocks: &[Value]) -> usize {
    blocks.iter().map(|block| bytes(block).saturating_add(1)).sum()
}
