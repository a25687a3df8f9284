//! A message as a page of HTML, for people who come from a link in a chat. Nothing on it acts, and nothing that somebody outside
//! wrote is more than text: every sign that HTML reads is escaped, and the browser is told to load and run nothing.
//! Never here: HTTP, and who may see it.

use crate::atom::stretches;
use crate::message::{About, Message};
use crate::section::{Line, Piece, Section, Sections, sections};

const STYLE: &str = "body{font:1rem/1.5 system-ui,sans-serif;max-width:46rem;margin:2rem auto;padding:0 1rem;color:#1b1b1b;\
     background:#fff}h1{font-size:1.3rem}h2{font-size:1rem;margin:1.5rem 0 .25rem}p{margin:0;overflow-wrap:anywhere}\
     code{font:.9em ui-monospace,monospace;background:#f0f0f0;padding:.1em .3em}footer{margin-top:2rem;font-size:.85rem}\
     @media(prefers-color-scheme:dark){body{color:#eee;background:#1b1b1b}code{background:#333}}";

const ACTS_ON_NOTHING: &str = "This page acts on nothing. To decide, give the command where Guestlist runs; `…` stands for your reason.";

impl Message {
    /// The `Content-Security-Policy` under which the page is to be shown: its own style, and nothing else
    /// (<https://www.w3.org/TR/CSP3/>).
    pub const PAGE_POLICY: &str = "default-src 'none'; style-src 'sha256-FXxBO4CWunPnNsB9OA4hmhkqFQfDnzCyoUPf/DHyRPc='; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

    /// The title names no person: it stays behind in the browser.
    #[must_use]
    pub fn html(&self) -> String {
        let Sections { body, commands, footer } = sections(self);
        let title = match &self.about {
            About::Incident(report) => format!("Guestlist incident {}", report.incident),
            About::Notice(_) | About::RollUp(_) => "Guestlist".to_owned(),
        };
        let sections: String = body.iter().map(section).collect();
        let commands: String = commands.iter().map(paragraph).collect();
        format!(
            "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" \
             content=\"width=device-width\">\n<title>{}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<h1>{}</h1>\n\
             {sections}<h2>What you can do</h2>\n<p>{}</p>\n{commands}<footer>{}</footer>\n</body>\n</html>\n",
            escaped(&title),
            line(&self.headline_pieces),
            prose(ACTS_ON_NOTHING),
            line(&footer),
        )
    }

    /// The same for a terminal.
    #[must_use]
    pub fn text_page(&self) -> String {
        format!("{}\n\n{}\n", self.plain_text(), ACTS_ON_NOTHING.replace('`', ""))
    }
}

fn section(section: &Section) -> String {
    let Section { title, lines } = section;
    let lines: String = lines.iter().map(paragraph).collect();
    format!("<h2>{}</h2>\n{lines}", escaped(title))
}

fn paragraph(pieces: &Line) -> String {
    format!("<p>{}</p>\n", line(pieces))
}

fn line(pieces: &[Piece]) -> String {
    let piece = |piece: &Piece| match piece {
        Piece::Words(text) => escaped(text),
        Piece::Prose(text) => prose(text),
        Piece::Value(text) => code(text),
        // Whoever reads the page has come by it.
        Piece::Link(_) => String::new(),
    };
    pieces.iter().map(piece).collect()
}

fn prose(text: &str) -> String {
    let stretch = |(quoted, part): (bool, String)| if quoted { code(&part) } else { escaped(&part) };
    stretches(text).map(stretch).collect()
}

/// Whatever direction it is written in, it turns nothing around beside itself.
fn code(text: &str) -> String {
    format!("<code><bdi>{}</bdi></code>", escaped(text))
}

/// The five signs that mean something in HTML's text and attributes
/// (<https://html.spec.whatwg.org/multipage/parsing.html>).
fn escaped(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => shown.push_str("&amp;"),
            '<' => shown.push_str("&lt;"),
            '>' => shown.push_str("&gt;"),
            '"' => shown.push_str("&quot;"),
            '\'' => shown.push_str("&#39;"),
            c => shown.push(c),
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::prelude::BASE64_STANDARD;
    use sha2::{Digest as _, Sha256};

    use super::*;

    #[test]
    fn the_policy_admits_this_style_and_nothing_else() {
        let hash = BASE64_STANDARD.encode(Sha256::digest(STYLE));
        assert!(Message::PAGE_POLICY.contains(&format!("style-src 'sha256-{hash}';")), "{hash}");
        assert!(!Message::PAGE_POLICY.contains("unsafe") && !Message::PAGE_POLICY.contains('*'));
    }

    #[test]
    fn every_sign_of_html_is_text() {
        assert_eq!(escaped("<b a='1' c=\"2\">&amp;"), "&lt;b a=&#39;1&#39; c=&quot;2&quot;&gt;&amp;amp;");
        assert_eq!(prose("in `<i>` ` & so"), "in <code><bdi>&lt;i&gt;</bdi></code> &#39; &amp; so");
    }
}
