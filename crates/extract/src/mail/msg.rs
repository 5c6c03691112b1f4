//! A message of Outlook (MS-OXMSG): properties in the streams of a compound file.

use crate::{ExtractError, Extracted, Host, Limits};
pub(crate) fn is_message(_: &[u8]) -> bool {
    false
}
pub(crate) fn extract(_: &[u8], _: &Limits, _: &mut dyn Host) -> Result<Extracted, ExtractError> {
    Err(ExtractError::Empty)
}
