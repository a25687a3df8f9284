//! Whether the deployment that a command is told of is there, and opens to it: said in the words of its settings.

use dynamo::TableError;
use ledger::LedgerError;

use super::{AwsSettings, CREDENTIALS, PLACES, TABLE};
use crate::{Missing, Store};

impl Store {
    /// Reads one item of the table.
    ///
    /// # Errors
    /// [`Missing`] where there is no such table, or it is not for these credentials; else why it cannot be reached.
    pub async fn reach(&self, aws: &AwsSettings) -> anyhow::Result<()> {
        match self.ledger.clock_ahead().await {
            Ok(_) => Ok(()),
            Err(error) => Err(in_words(error, aws)),
        }
    }
}

fn in_words(error: LedgerError, aws: &AwsSettings) -> anyhow::Error {
    let region = &aws.region;
    match error {
        LedgerError::Table(TableError::Missing { table }) => Missing(vec![format!(
            "{TABLE}: there is no table `{table}` of this account in `{region}` (AWS_REGION); {PLACES}"
        )])
        .into(),
        LedgerError::Table(TableError::Denied { table, why }) => Missing(vec![format!(
            "AWS_ACCESS_KEY_ID: AWS refuses the table `{table}` in `{region}` to whose key it is ({why}); {CREDENTIALS} anew, and the \
             policy in the stack's output `OperatorReadsArn` allows it"
        )])
        .into(),
        other => other.into(),
    }
}
