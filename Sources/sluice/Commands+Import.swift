import ArgumentParser
import BridgeImport
import Configuration
import ControlAPI
import Foundation

struct ImportCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "import", abstract: "Make a configuration of what the kernel does now.", subcommands: [Bridge.self])

    struct Bridge: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Write the configuration that does what a bridge of the kernel does: bridge br0 --libvirt -o sluice.yaml",
            discussion: """
                It reads the bridge, its ports, VLANs, static entries and queueing (tc), and changes nothing. What has no counterpart, what was \
                decided and what is to be done stands in the file, as comments, with the kernel's own words. It needs no daemon.
                """)
        @OptionGroup var source: ImportSource
        @Option(name: .shortAndLong, help: "File to write; by default standard output.", completion: .yaml) var output: String?

        func run() throws {
            try reporting {
                let result = try source.read(.ports)
                if let output {
                    try ImportSource.write(result.yaml, to: output)
                    for remark in result.remarks where remark.kind == .lost { Output.print("\(remark)") }
                    Output.print("\(output) is written: read the comments in it, then `sluice check \(output)`")
                } else {
                    Output.print(result.yaml)
                }
                try ImportSource.check(result)
            }
        }
    }
}

/// What is imported, and from where.
struct ImportSource: ParsableArguments {
    @Argument(help: "The bridge of the kernel's.") var bridge: String
    @Flag(help: "Read libvirt's status files for the names, addresses and bandwidths of guests.") var libvirt = false
    @Option(help: "The folder of libvirt's status files.", completion: .directory) var libvirtFolder = "/run/libvirt/qemu"
    @Option(help: "A port that leads to the wire; may be given several times. By default all that are neither taps nor veth pairs.") var uplink: [String] = []

    func read(_ taps: BridgeImport.Taps) throws -> BridgeImport {
        let kernel = try KernelReader().bridge(named: bridge)
        for name in uplink where !kernel.ports.contains(where: { $0.name == name }) {
            throw Failure("\(name) is no port of \(bridge): its ports are \(kernel.ports.map(\.name).joined(separator: ", "))")
        }
        return BridgeImport(kernel, libvirt: libvirt ? try domains() : nil, taps: taps, uplinks: uplink)
    }

    /// The taps of all domains that run.
    private func domains() throws -> [LibvirtTap] {
        let names: [String]
        do { names = try FileManager.default.contentsOfDirectory(atPath: libvirtFolder) } catch {
            throw Failure("\(libvirtFolder) cannot be read: see that libvirt runs here and you are root, or leave --libvirt out")
        }
        return try names.sorted().filter { $0.hasSuffix(".xml") }.flatMap { name -> [LibvirtTap] in
            let path = "\(libvirtFolder)/\(name)"
            do { return try LibvirtTap.read(try LibvirtFiles.bytes(path)) } catch let error as ConfigurationError { throw Failure("\(path): \(error)") }
        }
    }

    /// Sees that a configuration is one that `sluice check` accepts.
    static func check(_ result: BridgeImport) throws {
        do { _ = try Model.checked(yaml: result.yaml) } catch {
            throw Failure("what was imported is not accepted as it is; change it by hand:\n\(error)")
        }
    }

    /// Writes a file as a whole or not at all.
    static func write(_ text: String, to path: String) throws {
        let temporary = "\(path).\(getpid())"
        guard FileManager.default.createFile(atPath: temporary, contents: Data(text.utf8)), rename(temporary, path) == 0 else {
            let reason = String(cString: strerror(errno))
            unlink(temporary)
            throw Failure("\(path) cannot be written: \(reason)")
        }
    }
}
