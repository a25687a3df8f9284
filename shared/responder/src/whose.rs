//! Whose doing something was, as far as the directory audit tells.
//!
//! Never here: what follows from it. A name in the audit is told to people, and decides nothing.

use graph::{Act, Actor, GraphError, Reader};
use jiff::Timestamp;
use model::ObjectId;

use crate::trouble::{in_words, to_the_second};

/// The app that asks: it may lack the permission, which is `AuditLog.Read.All`.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Asker {
    Reads,
    Writes,
}

/// Who did last, since that moment, what `fits` to the user. The audit may know nothing: its rows lag, and the permission for it
/// may be missing. One request.
pub(crate) async fn whose_doing(
    reader: &Reader,
    asker: Asker,
    (user, since): (ObjectId, Timestamp),
    fits: impl Fn(&Act) -> bool,
) -> String {
    match reader.acts(user, since).await {
        Ok(acts) => acts
            .iter()
            .find(|act| fits(act))
            .map_or_else(|| "the directory audit does not (yet) say who".to_owned(), told),
        Err(GraphError::Forbidden { .. }) => {
            let app = match asker {
                Asker::Reads => "the app that reads",
                Asker::Writes => "the app that writes",
            };
            format!("who it was would stand in the directory audit: grant {app} `AuditLog.Read.All`")
        }
        Err(error) => format!("the directory audit could not be read: failed to {}", in_words(&error)),
    }
}

fn told(act: &Act) -> String {
    let named = |name: &Option<String>| name.as_ref().map_or_else(String::new, |name| format!("`{name}`"));
    let who = match &act.by {
        Actor::User { id, name } => format!("{} (user {id})", named(name)),
        Actor::App { app_id, service_principal, name } => {
            let id = app_id.map(|id| id.to_string()).or(service_principal.map(|id| id.to_string()));
            id.map_or_else(
                || format!("the app {}", named(name)),
                |id| format!("the app {} ({id})", named(name)),
            )
        }
        Actor::Unknown => {
            return format!("the directory audit does not say who, at {}", to_the_second(act.at));
        }
    };
    format!("the directory audit names {}, at {}", who.trim(), to_the_second(act.at))
}
