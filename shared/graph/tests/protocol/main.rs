//! The client against a small Graph and Entra of its own, over loopback HTTP: the corners of the protocol.

#[cfg(test)]
mod auditing;
#[cfg(test)]
mod batches;
#[cfg(test)]
mod fake;
#[cfg(test)]
mod groups;
#[cfg(test)]
mod linking;
#[cfg(test)]
mod reading;
#[cfg(test)]
mod retries;
#[cfg(test)]
mod subscribing;
#[cfg(test)]
mod sweeping;
#[cfg(test)]
mod tokens;
#[cfg(test)]
mod waiting;
