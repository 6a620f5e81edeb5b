//! Doors: the names that users know. They decide nothing: a configuration becomes a plan, and one
//! call does the work.

#[cfg(feature = "async")]
mod asynchronous;
mod export;
mod integrated;
mod parser;

pub use export::{BinaryExport, ExportResult};
pub use integrated::IntegratedBinaryExporter;
pub use parser::{BinaryDataParser, ParseResult, ParseStats};
