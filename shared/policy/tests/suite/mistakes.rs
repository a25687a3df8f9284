//! Policies that are none, and what their author reads.

use guestlist_policy::parse;

/// The smallest policy with nothing in it.
const HEAD: &str = "version: 1\nmode: enforce\n";

fn load(path: &str) -> Result<String, String> {
    match path {
        "lists/good.txt" => Ok("evil.example # sanctions\n".to_owned()),
        "lists/empty.txt" => Ok(String::new()),
        "lists/comments.txt" => Ok("\u{feff}# nothing\r\n\r\n  # yet\r\n".to_owned()),
        "lists/bad.txt" => Ok("# header\n\nevil.example\n  *.com\nmallory@evil.example\nevil\n".to_owned()),
        "lists/binary.txt" => Ok("\u{1}\u{2}\n".repeat(5000)),
        _ => Err("no such file".to_owned()),
    }
}

/// What is wrong with a policy that starts with [`HEAD`].
#[track_caller]
pub(crate) fn wrong(rest: &str) -> String {
    wrong_as_a_whole(&format!("{HEAD}{rest}"))
}

#[track_caller]
pub(crate) fn wrong_as_a_whole(text: &str) -> String {
    match parse(text, "policy.yaml", &mut load) {
        Ok(policy) => panic!("expected a mistake, found {policy:?}"),
        Err(problems) => problems.to_string(),
    }
}
