//! Microsoft Graph v1.0 as far as Guestlist could use it: strict about requests, faithful in answers. HTTP comes in at
//! `gate`, one call is carried out in `perform`, and each kind of object has a room of its own.
mod audits;
mod batch;
pub(crate) mod call;
mod deleted;
mod delta;
mod delta_items;
mod directory_objects;
pub(crate) mod gate;
mod group_writes;
mod groups;
mod invitations;
mod links;
mod lists;
mod organization;
mod perform;
pub(crate) mod permissions;
mod properties;
pub(crate) mod refusal;
pub(crate) mod routes;
mod subscription_calls;
pub(crate) mod subscriptions;
mod user_writes;
mod users;
