import ArgumentParser
import Configuration
import ControlAPI
import Doctor
import Foundation

struct DoctorCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "doctor", abstract: "What is wrong with this host, and what mends it; needs no daemon.",
        discussion: """
            It looks at hugepages, CPUs, NICs, taps, drivers, privileges, libvirt and the daemon, and compares them with the configuration. It changes nothing. \
            Exit status 1 means that something is wrong; advice alone is none. With --config, no daemon has to run.
            """)
    @OptionGroup var connecting: Connecting
    @Option(help: "The configuration to compare with; by default what runs or, without a daemon, /etc/sluice/sluice.yaml.", completion: .yaml)
    var config: String?
    @Flag(help: "Print what is fine, too.") var all = false

    private static let standardFile = "/etc/sluice/sluice.yaml"

    func run() throws {
        try reporting {
            var findings: [Finding] = []
            var daemon = HostFacts.Daemon.absent(""), process: Int32?
            do {
                let status = try connecting.client.call(Methods.status, NoParams())
                (daemon, process) = (.running(version: status.version), status.pid)
            } catch {
                daemon = .absent("\(error)")
            }
            let needs = Needs(try model(process != nil, &findings))
            let facts = HostReader().facts(needs, daemon: daemon, process: process)
            findings += Checks.all(needs, facts, version: sluiceVersion, expectsDaemon: config == nil)
            let shown = all || connecting.json ? findings : findings.filter { $0.kind != .fine }
            Output.print(connecting.json ? try Output.json(shown.map(DoctorFinding.init)) : shown.isEmpty ? "all is well" : shown.map(Self.text).joined(separator: "\n"))
            if findings.contains(where: { $0.kind == .wrong }) { throw ExitCode(1) }
        }
    }

    /// The configuration that the host is to serve.
    private func model(_ isRunning: Bool, _ findings: inout [Finding]) throws -> Model {
        if config == nil, isRunning {
            let reply = try connecting.client.call(Methods.configGet, NoParams())
            return try Model(yaml: reply.yaml)
        }
        let path = config ?? Self.standardFile
        guard config != nil || FileManager.default.fileExists(atPath: path) else {
            findings.append(Finding(.wrong, "configuration", "there is no \(path), and the service does not start without it", remedy: "write it: examples are in /usr/share/doc/sluice/examples"))
            return Model()
        }
        return try ConfigurationFile(path).model()
    }

    private static func text(_ finding: Finding) -> String {
        let mark = switch finding.kind {
        case .fine: "ok"
        case .advice: "advice"
        case .wrong: "WRONG"
        }
        let head = mark.padding(toLength: 8, withPad: " ", startingAt: 0) + finding.subject + ": " + finding.sentence
        return head + (finding.remedy.map { "\n        -> \($0)" } ?? "")
    }
}

/// A finding as `-j` prints it.
private struct DoctorFinding: Encodable {
    var kind: String, subject: String, sentence: String, remedy: String?
    init(_ finding: Finding) { (kind, subject, sentence, remedy) = (finding.kind.rawValue, finding.subject, finding.sentence, finding.remedy) }
}
