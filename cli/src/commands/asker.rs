//! Who asks, for the record: the operating system's user of this process. A variable of the environment, which anybody can
//! set, never takes his place. Where the store is on AWS, a user of whichever machine says little alone, and AWS is asked, too.

use std::time::Duration;

use host::Settings;
use tokio::time::timeout;
use wire::Wire;

use crate::out;

/// A network may have a way to the table and the queues, and none to STS.
const PATIENCE: Duration = Duration::from_secs(2);

/// `alice`, and on AWS `alice (assumed-role/Operators/alice)`.
pub(super) async fn asker(settings: &Settings) -> String {
    let user = user();
    let Some(aws) = &settings.aws else { return user };
    let caller = match Wire::network().map(|wire| timeout(PATIENCE, aws.caller(wire))) {
        Ok(asked) => asked.await.unwrap_or_else(|_| {
            Err(anyhow::anyhow!("AWS STS has not said within {} s who this is", PATIENCE.as_secs()))
        }),
        Err(error) => Err(error.into()),
    };
    match caller {
        Ok(caller) => format!("{user} ({caller})"),
        // To stop all writes must not hang on it.
        Err(error) => {
            out::message(&format!("warning: {error:#}; you are written down as `{user}` alone"));
            user
        }
    }
}

/// `alice`, `root (sudo by alice)`, or `uid 1000` where the system knows no name.
fn user() -> String {
    #[cfg(unix)]
    {
        use nix::unistd::{Uid, User, getuid};
        let name = |uid: u32| User::from_uid(Uid::from_raw(uid)).ok().flatten().map(|user| user.name);
        let caller = std::env::var("SUDO_UID").ok().and_then(|uid| uid.parse().ok());
        in_words(getuid().as_raw(), caller, name)
    }
    #[cfg(not(unix))]
    {
        "an unknown user of the command line".to_owned()
    }
}

/// `caller` is sudo's word, and only adds to what the system says.
#[cfg(unix)]
fn in_words(user: u32, caller: Option<u32>, name: impl Fn(u32) -> Option<String>) -> String {
    let own = name(user).unwrap_or_else(|| format!("uid {user}"));
    match caller.and_then(name) {
        Some(caller) => format!("{own} (sudo by {caller})"),
        None => own,
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::in_words;

    fn name(uid: u32) -> Option<String> {
        let named = [(0, "root"), (1000, "alice")].into_iter().find(|(known, _)| *known == uid);
        named.map(|(_, name)| name.to_owned())
    }

    #[test]
    fn the_system_s_user_is_named_and_so_is_who_called_sudo() {
        assert_eq!(in_words(1000, None, name), "alice");
        assert_eq!(in_words(0, Some(1000), name), "root (sudo by alice)");
        assert_eq!(
            in_words(0, Some(4711), name),
            "root",
            "a caller whom the system does not know says nothing"
        );
        assert_eq!(in_words(4711, None, name), "uid 4711");
    }
}
