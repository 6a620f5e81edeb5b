//! `heapwire completions` and `heapwire man`: what the command line takes, for shells and for `man`.

use std::io::{self, Write};

use clap::CommandFactory;
use clap_mangen::Man;

use crate::args::{Args, CompletionsArgs, ManArgs};
use crate::failure::{Failure, Outcome, told};

pub(crate) fn completions(args: &CompletionsArgs) -> Result<Outcome, Failure> {
    let mut command = Args::command();
    let name = command.get_name().to_owned();
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut command, name, &mut script);
    told(io::stdout().lock().write_all(&script), Outcome::Done)
}

pub(crate) fn page(args: &ManArgs) -> Result<Outcome, Failure> {
    let mut command = Args::command();
    // So that a subcommand knows what it is a part of.
    command.build();
    let command = match &args.subcommand {
        None => command,
        Some(name) => {
            let found = command.find_subcommand(name).filter(|found| !found.is_hide_set());
            let Some(found) = found else {
                return Err(Failure::Usage(format!("there is no subcommand \"{name}\"")));
            };
            found.clone()
        }
    };
    let mut page = Vec::new();
    let man = Man::new(command).source(concat!("heapwire ", env!("CARGO_PKG_VERSION")));
    let rendered = man.render(&mut page);
    told(rendered.and_then(|()| io::stdout().lock().write_all(&page)), Outcome::Done)
}
