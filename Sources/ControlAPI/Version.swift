/// The version of daemon and command line alike. `sluice version` asks the daemon for the daemon's own.
public let sluiceVersion = "0.1.0"
