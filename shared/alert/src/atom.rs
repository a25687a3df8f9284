//! Text in pieces that are never split, cut to a length with a mark. Lengths are UTF-16 units, the larger way to count.
//! Never here: which signs mean something to a product.

use crate::plain::CUT;

/// What is never split: a character with its escape, or one end of a quoted stretch with the sign that stands there.
pub(crate) enum Atom {
    Sign(String),
    Open(&'static str),
    Close(&'static str),
}

impl Atom {
    fn shown(&self) -> &str {
        match self {
            Self::Sign(sign) => sign,
            Self::Open(sign) | Self::Close(sign) => sign,
        }
    }
}

pub(crate) fn length(text: &str) -> usize {
    text.encode_utf16().count()
}

/// The atoms in `most` UTF-16 units, with a mark where some had to be left out, and what was opened always closed with
/// `close`, which is one unit long.
pub(crate) fn fit(atoms: &[Atom], most: usize, close: &str) -> String {
    let mark = length(CUT);
    let (mut used, mut is_open) = (0_usize, false);
    // How many atoms stay if the mark is needed, and whether something is open there.
    let mut keep = (0_usize, false);
    for (n, atom) in (1_usize..).zip(atoms) {
        used = used.saturating_add(length(atom.shown()));
        is_open = match atom {
            Atom::Sign(_) => is_open,
            Atom::Open(_) => true,
            Atom::Close(_) => false,
        };
        if used.saturating_add(mark).saturating_add(usize::from(is_open)) <= most {
            keep = (n, is_open);
        }
    }
    if used <= most {
        return joined(atoms);
    }
    let (kept, open) = keep;
    let close = if open { close } else { "" };
    format!("{}{CUT}{close}", joined(atoms.get(..kept).unwrap_or_default()))
}

fn joined(atoms: &[Atom]) -> String {
    atoms.iter().map(Atom::shown).collect()
}

/// A character, with the one before it and what follows.
pub(crate) type Place<'a> = (char, char, &'a str);

/// Each character as `show` wants it, and where that is silent as `otherwise` does.
pub(crate) fn signs<'a>(
    text: &'a str,
    show: impl Fn(Place<'a>) -> Option<&'static str> + 'a,
    otherwise: fn(char) -> String,
) -> impl Iterator<Item = Atom> + 'a {
    let mut before = ' ';
    text.char_indices().map(move |(at, c)| {
        let rest = text.get(at..).unwrap_or_default().strip_prefix(c).unwrap_or_default();
        let sign = show((before, c, rest)).map_or_else(|| otherwise(c), str::to_owned);
        before = c;
        Atom::Sign(sign)
    })
}

pub(crate) fn first(rest: &str) -> char {
    rest.chars().next().unwrap_or(' ')
}

/// A sentence of ours in the stretches between its backticks: whether it is a quoted one, and its text. The backtick
/// before the last stretch may have no partner: it is a sign like any other then.
pub(crate) fn stretches(text: &str) -> impl Iterator<Item = (bool, String)> {
    let mut parts = text.split('`').peekable();
    let mut quoted = false;
    std::iter::from_fn(move || {
        let part = parts.next()?;
        let is_quoted = quoted && parts.peek().is_some();
        let lone = quoted && !is_quoted;
        quoted = !quoted;
        Some((is_quoted, if lone { format!("'{part}") } else { part.to_owned() }))
    })
}
