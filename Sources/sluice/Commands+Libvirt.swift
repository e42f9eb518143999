import ArgumentParser
import Configuration
import ControlAPI
import Foundation
import Libvirt

struct LibvirtCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "libvirt", abstract: "Ports and guests for libvirt's domains: what libvirt's hook calls, and what puts it in place.",
        subcommands: [Hook.self, Install.self, Uninstall.self, Sync.self, Watch.self, Attach.self, Statistics.self, Schema.self])

    struct Schema: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "The RelaxNG schema of Sluice's element in a domain's metadata.",
            discussion: "It needs no daemon. Such an element is set with virsh metadata, whether the domain runs or not.")
        func run() throws { try reporting { Output.print(LibvirtDomain.metadataSchema) } }
    }

    struct Hook: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "What libvirt's hook for QEMU calls: hook NAME OPERATION SUBOPERATION EXTRA, the domain's XML on standard input.",
            discussion: """
                It makes ports and guests of the domain's vhostuser interfaces, as the part libvirt-NAME, or takes them away. What goes wrong is told on standard \
                error, which libvirt logs, and keeps no domain from starting unless --strict is given.
                """)
        @OptionGroup var target: LibvirtTarget
        @Flag(help: "Keep domains from starting whose ports or guarantees cannot be had.") var strict = false
        @Option(help: "How long to wait for the daemon and for libvirt, 100ms to 1min.") var timeout = "3s"
        @Argument(parsing: .remaining, help: "The words that libvirt calls its hook with.") var words: [String]

        func run() throws {
            var mayRefuse = strict
            do {
                let deadline = ContinuousClock.now + (try LibvirtTarget.patience(timeout))
                let hook = try LibvirtHook(arguments: words.first == "--" ? Array(words.dropFirst()) : words)
                mayRefuse = strict && hook.mayRefuse
                try HookCall(hook: hook, target: target, deadline: deadline, isStrict: mayRefuse).run()
            } catch {
                Output.error("sluice libvirt hook \(words.prefix(4).joined(separator: " ")): \(error)")
                if mayRefuse { throw ExitCode(1) }
            }
        }
    }
}

/// The options about the daemon and its bridges that the commands for libvirt share.
struct LibvirtTarget: ParsableArguments {
    @Option(name: .shortAndLong, help: "The daemon's control socket (also SLUICE_SOCKET).", completion: .file())
    var socket: String?

    @Option(help: "Bridge of interfaces that name none in the domain's metadata; by default the only one that there is.")
    var bridge: String?

    static func patience(_ text: String) throws -> Duration {
        let time: UInt64
        do { time = try Quantity.time.parse(text) } catch { throw Failure("--timeout: \(error.description)") }
        guard 100...60_000 ~= time else { throw Failure("--timeout takes 100ms to 1min, not \(text)") }
        return .milliseconds(time)
    }

    /// A connection to the daemon.
    /// - Parameter deadline: the time by which the daemon must have answered all requests.
    func client(until deadline: ContinuousClock.Instant) throws -> Client {
        let left = deadline - .now
        guard left > .zero else { throw Failure("there was no time left to ask the daemon") }
        // Messages about an expired patience show it in tenths of a second, so it is rounded up to these.
        let tenths = Int64((left / .milliseconds(100)).rounded(.up))
        return Client(path: socket ?? Client.standardPath, patience: .milliseconds(100 * tenths))
    }

    /// Sets a domain's part. If it is refused and there is none yet, the domain gets its ports without guarantees, until they can be had.
    /// - Parameter needsAll: whether it gets all or nothing.
    /// - Returns: what has changed.
    /// - Throws: why it was refused, also if the domain has ports without guarantees now.
    func put(_ configuration: LibvirtConfiguration, as part: String, needsAll: Bool, until deadline: ContinuousClock.Instant) throws -> [String] {
        do {
            return try client(until: deadline).call(Methods.partSet, PartParams(name: part, yaml: configuration.part.yaml)).changes
        } catch {
            guard !needsAll, configuration.withoutFloors != configuration.part,
                let parts = try? client(until: deadline).call(Methods.partShow, NameParams()), !parts.contains(where: { $0.name == part && $0.problem == nil }),
                (try? client(until: deadline).call(Methods.partSet, PartParams(name: part, yaml: configuration.withoutFloors.yaml))) != nil
            else { throw error }
            throw Failure("\(error)\nuntil then the domain runs without what is guaranteed to it")
        }
    }

    /// What a domain becomes on the bridges that the daemon has now.
    func configuration(of domain: LibvirtDomain, until deadline: ContinuousClock.Instant) throws -> LibvirtConfiguration {
        let networks = try domain.networks.sorted().map { try LibvirtFiles.network($0) }
        let bridges = try client(until: deadline).call(Methods.bridgeShow, NameParams())
        var model = Model()
        model.bridges = bridges.map { BridgeSettings(name: $0.name) }
        return try LibvirtConfiguration(domain, networks: networks, in: model, bridge: bridge)
    }
}
