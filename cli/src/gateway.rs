//! `rejoin gateway`: the callback gateway alone, in front of engines elsewhere.

use std::path::PathBuf;
use std::process::ExitCode;

use crate::config::{ClockKind, LogFormat};
use crate::serve::Serve;

const EXAMPLES: &str = "\
In front of AWS Step Functions, with credentials as any AWS SDK takes them:
  [engines.aws]                          # rejoin.toml
  region = \"eu-west-1\"
  [[routes]]
  name = \"valuation\"
  path = \"/callbacks/valuation\"
  reference = \"$.valuationReference\"
  engine = \"aws\"

  rejoin gateway --config rejoin.toml
  curl -X PUT http://127.0.0.1:8083/rejoin/references/valuation/V-42 \\
    -d '{\"taskToken\": \"...\", \"executionArn\": \"...\", \"stateName\": \"...\", \"timeoutSeconds\": 3600}'
  curl http://127.0.0.1:8083/rejoin/engines       # which answer, and how much waits for them

It needs permission for states:SendTaskSuccess, SendTaskFailure and SendTaskHeartbeat, and, to tell how a wait ended,
states:DescribeExecution and states:GetExecutionHistory.";

/// The flags of `rejoin gateway`.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Gateway {
    /// Engines, callback routes, topics; the file that `rejoin serve` takes
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Address and port; port 0 picks a free one and says which [default: 127.0.0.1:8083]
    #[arg(long, value_name = "HOST:PORT")]
    listen: Option<String>,
    /// Where everything durable is kept; made if it is not there [default: rejoin-gateway-data]
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// Keep everything in memory and forget it at the end
    #[arg(long, conflicts_with = "data_dir")]
    in_memory: bool,
    /// Which time it goes by: real, or virtual, which stands until it is moved [default: real]
    #[arg(long, value_enum, hide_possible_values = true)]
    clock: Option<ClockKind>,
    /// How the log is written, on standard error: text, or json, an object a line [default: text]
    #[arg(long, value_enum, hide_possible_values = true)]
    log_format: Option<LogFormat>,
}

impl Gateway {
    /// Runs the gateway.
    pub fn run(self) -> Result<ExitCode, String> {
        let serve = Serve {
            listen: self.listen,
            data_dir: self.data_dir,
            in_memory: self.in_memory,
            clock: self.clock,
            log_format: self.log_format,
            config: Some(self.config),
            mocks: Default::default(),
        };
        serve.run_gateway()
    }
}
