//! Long proofs and benchmarks: figures are measured, never asserted. See `proof/run`.

mod decision;
mod mutation;
mod receiver;
mod store;

use anyhow::bail;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["decide", count] => decision::decide(count.parse()?),
        ["decisions"] => decision::measure(),
        ["receive"] => receiver::measure().await,
        ["store"] => store::measure().await,
        ["mutate", seconds, seed] => mutation::run(seconds.parse()?, seed.parse()?),
        _ => bail!("use: decide COUNT · decisions · receive · store · mutate SECONDS SEED"),
    }
}
