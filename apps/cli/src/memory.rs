//! The run's budget of memory, one for all commands.

use std::sync::{Arc, OnceLock};

use internvit::budget::Budget;
use internvit::{Error, Result};

static BUDGET: OnceLock<Arc<Budget>> = OnceLock::new();

/// What names the budget in the environment.
const VARIABLE: &str = "INTERNVIT_MAX_MEMORY";

/// Sets the budget: what is given, else what the environment says, else what the machine has free.
pub(super) fn set(given: Option<u64>) -> Result<()> {
    let said = std::env::var_os(VARIABLE).filter(|text| given.is_none() && !text.is_empty());
    let said = said.map(|text| {
        let text = text.to_string_lossy();
        internvit::budget::parse_size(&text)
            .map_err(|e| Error::input(format_args!("{VARIABLE}={text}: {e}")))
    });
    if let Some(limit) = given.or(said.transpose()?) {
        let _ = BUDGET.set(Arc::new(Budget::new(limit)));
    }
    Ok(())
}

/// The budget.
pub(super) fn budget() -> &'static Arc<Budget> {
    BUDGET.get_or_init(|| Arc::new(Budget::of_machine()))
}
