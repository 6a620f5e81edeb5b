//! Is a MessagePack file what it should be? Its structure, version, checksum, counts and order are
//! those that its reader checks; its records are compared with those that its events make.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::Read;

use super::{Finding, FindingKind, MAX_FINDINGS, ValidationReport};
use crate::convert::messagepack::read_with_records;
use crate::error::{BinaryExportError, MessagePackError, Result};
use crate::trace::Item;
use crate::trace::entry::Entry;
use crate::trace::limits::Limits;
use crate::trace::record::{Record, Records};

/// Reads all of it. What is wrong first ends the check: what follows has no place to begin at.
///
/// # Errors
/// When the input cannot be read, or passes the default limits.
pub(super) fn validate(input: impl Read) -> Result<ValidationReport> {
    let limits = Limits::default();
    let mut report = ValidationReport::default();
    let (mut records, mut made, mut found) = (Records::new(), Sum::default(), Sum::default());
    let read = read_with_records(
        input,
        &limits,
        |entry| {
            match &entry {
                Entry::Item(Item::Event(_)) => report.events += 1,
                Entry::Position(position) if position.is_gap() => {
                    let message = format!(
                        "before event {}: {} events of stream {} are missing",
                        report.events, position.missing_events, position.stream
                    );
                    match report.warnings.len() < MAX_FINDINGS {
                        true => report.warnings.push(finding(FindingKind::Gap, 0, message)),
                        false => report.further_findings += 1,
                    }
                }
                Entry::Item(Item::Definition(_)) | Entry::Position(_) => {}
            }
            records.entry(&entry, |record| made.add(&record))?;
            limits.check_live_blocks(records.live_blocks())
        },
        |record| found.add(record),
    );
    match read {
        Ok(offset) => {
            records.finish(|record| made.add(&record))?;
            if made != found {
                let message = "the records are not those that their events make".to_owned();
                report.errors.push(finding(FindingKind::Contradiction, offset, message));
            }
        }
        Err(error) => report.errors.push(wrong(error)?),
    }
    report.is_valid = report.errors.is_empty();
    Ok(report)
}

/// The finding that an error is, unless it is none of the file's.
fn wrong(error: BinaryExportError) -> Result<Finding> {
    let BinaryExportError::MessagePack { source } = error else { return Err(error) };
    let message = source.to_string();
    match source {
        MessagePackError::CutOff { offset } => {
            let message = format!("cut off: {message}");
            Ok(finding(FindingKind::CutOff, offset, message))
        }
        MessagePackError::Malformed { offset, .. } => {
            Ok(finding(FindingKind::Damage, offset, format!("{message}: it cannot be read on")))
        }
        MessagePackError::Contradiction { offset, .. } => {
            Ok(finding(FindingKind::Contradiction, offset, message))
        }
        MessagePackError::UnsupportedVersion { .. } => {
            Ok(finding(FindingKind::UnsupportedVersion, 0, message))
        }
    }
}

fn finding(kind: FindingKind, offset: u64, message: String) -> Finding {
    Finding { kind, severity: kind.severity(), offset, chunk: None, message }
}

/// What records have in common in whatever order they come.
#[derive(Debug, Default, PartialEq, Eq)]
struct Sum {
    records: u64,
    hashes: u64,
}

impl Sum {
    fn add(&mut self, record: &Record) -> Result<()> {
        let mut hasher = DefaultHasher::new();
        record.hash(&mut hasher);
        self.records += 1;
        self.hashes = self.hashes.wrapping_add(hasher.finish());
        Ok(())
    }
}
