//! The keys that seal `clientState`. They are made on first use and lie beside the store; a line put first replaces the
//! sealing key, and the older ones still open what they sealed.

use std::io::Write as _;
use std::path::Path;

use anyhow::Context as _;
use seal::StateKeys;

const NAME: &str = "state-keys";

/// # Errors
/// The file cannot be read, made, or understood.
pub fn state_keys(data: &Path) -> anyhow::Result<StateKeys> {
    let path = data.join(NAME);
    if !path.exists() {
        make(&path).with_context(|| format!("failed to make `{}`", path.display()))?;
    }
    let text =
        std::fs::read_to_string(&path).with_context(|| format!("failed to read `{}`", path.display()))?;
    StateKeys::parse(&text).with_context(|| format!("failed to understand `{}`", path.display()))
}

fn make(path: &Path) -> std::io::Result<()> {
    let mut random = [0; 32];
    random
        .iter_mut()
        .zip(crate::random().into_iter().chain(crate::random()))
        .for_each(|(to, from)| *to = from);
    let line = StateKeys::generate_line(random, "k1");
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    let made = options.open(path);
    let mut file = match made {
        Ok(file) => file,
        // Another process was faster; its keys are as good.
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => return Ok(()),
        Err(error) => return Err(error),
    };
    file.write_all(
        format!("# clientState keys. The first one seals; every one opens.\n{line}\n").as_bytes(),
    )?;
    file.sync_all()
}
