import ArgumentParser
import ControlAPI
import ControlPlane

/// The daemon's main program. It only reads the arguments; everything else is in ControlPlane.
@main
struct Sluiced: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "sluiced",
        abstract: "Carry guests' traffic through per-core poll loops, with guaranteed floors.",
        discussion: "It runs in the foreground, prints `ready` when it carries traffic, and ends on SIGTERM, SIGINT or SIGQUIT, at once on a second one. SIGHUP applies the file given with --config again.",
        version: sluiceVersion)

    @Option(help: "Configuration to start with (YAML); without it, what was running last according to the state file.", completion: .file(extensions: ["yaml", "yml"]))
    var config: String?

    @Option(help: "Control socket to serve.", completion: .file())
    var socket = "/run/sluice/control.sock"

    @Option(help: "File that keeps class ids and the running configuration over a restart; 'none' for none.", completion: .file())
    var state = "/var/lib/sluice/state.json"

    @Option(help: "Folder that keeps what hooks own (sluice part); by default conf.d beside the file of --config or, without one, of --state.", completion: .directory)
    var parts: String?

    @Option(help: "Least important messages to log: \(Daemon.logLevels.joined(separator: ", ")).")
    var logLevel = "info"

    @Option(help: "Group whose members may look at everything over the control socket; by default sluice, if there is such a group.")
    var viewGroup: String?

    @Option(help: "Group whose members may change things as well; by default sluice-admin, if there is such a group.")
    var changeGroup: String?

    func validate() throws {
        guard Daemon.logLevels.contains(logLevel) else { throw ValidationError("--log-level takes one of \(Daemon.logLevels.joined(separator: ", ")), not '\(logLevel)'") }
    }

    func run() throws {
        do {
            try Daemon(configFile: config, socket: socket, stateFile: state == "none" ? nil : state, parts: parts, logLevel: logLevel, viewGroup: viewGroup, changeGroup: changeGroup).run()
        } catch {
            Daemon.tell(error)
            throw ExitCode.failure
        }
    }
}
