/// The version of both programs; `sluice version` asks the daemon for its own.
public let sluiceVersion = "0.1.0"
