//! The settings of the canary: whose membership of which group is changed, and when that is missed.

use jiff::SignedDuration;
use model::ObjectId;
use responder::CanarySettings;

use crate::Form;

const USER: &str = "GUESTLIST_CANARY_USER";
const GROUP: &str = "GUESTLIST_CANARY_GROUP";
const WITHIN: &str = "GUESTLIST_CANARY_WITHIN";

/// Minutes.
const UNLESS_SET: &str = "30m";
const LONGEST: i64 = 60;

pub(crate) fn canary(form: &mut Form<'_>) -> Option<CanarySettings> {
    let (user, group, within) = (form.optional(USER), form.optional(GROUP), form.optional(WITHIN));
    match (&user, &group, &within) {
        (Some(_), Some(_), _) | (None, None, None) => {}
        (Some(_), None, _) => {
            form.wrong(format!(
                "{GROUP} is not set: the object id of the group that {USER} joins and leaves"
            ));
        }
        (None, Some(_), _) => {
            form.wrong(format!(
                "{USER} is not set: the object id of the account that joins and leaves {GROUP}"
            ));
        }
        (None, None, Some(_)) => {
            form.wrong(format!("{WITHIN} is set, and there is no canary: set {USER} and {GROUP}, too"));
        }
    }
    let user = form.parsed(USER, user, str::parse::<ObjectId>);
    let group = form.parsed(GROUP, group, str::parse::<ObjectId>);
    let within = form.parsed(WITHIN, Some(within.unwrap_or_else(|| UNLESS_SET.to_owned())), minutes);
    Some(CanarySettings { user: user?, group: group?, within: within? })
}

/// The next change follows after an hour: a longer wait would never end.
fn minutes(text: &str) -> Result<SignedDuration, String> {
    let number = match text.strip_suffix('m') {
        Some(number) => number.parse().ok(),
        None => text.strip_suffix('h').and_then(|hours| hours.parse::<i64>().ok()?.checked_mul(60)),
    };
    match number {
        Some(minutes @ 1..=LONGEST) => Ok(SignedDuration::from_mins(minutes)),
        Some(_) | None => Err(format!("`{text}` is not a time between `1m` and `60m`")),
    }
}
