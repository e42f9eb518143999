import ArgumentParser
import Configuration
import ControlAPI
import Foundation
import Libvirt

extension LibvirtCommand {
    struct Attach: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Attach an interface to a running domain: attach vm1 interface.xml",
            discussion: """
                libvirt calls no hook for attach-device, and QEMU waits for the other end of the socket. So this makes the interface's port and guest in the \
                part of the domain first, then has virsh attach the interface, and takes them back if that fails. detach-device needs nothing of the kind.
                """)
        @OptionGroup var target: LibvirtTarget
        @OptionGroup var source: DomainSource
        @Argument(help: "The domain's name.") var domain: String
        @Argument(help: "A file with the <interface type='vhostuser'>, which has a <mac>.", completion: .file(extensions: ["xml"])) var file: String
        @Option(help: "libvirt's URI for virsh.") var connect = "qemu:///system"
        @Flag(help: "Make the port and the guest only: who attaches the interface otherwise does it within a minute.") var onlyPrepare = false

        func run() throws {
            try reporting {
                let path = "\(source.status)/\(domain).xml", deadline = ContinuousClock.now + .seconds(30)
                guard !domain.contains("/"), access(path, F_OK) == 0 else { throw Failure("no domain \(domain) runs: there is no \(path)") }
                let configuration: LibvirtConfiguration
                do {
                    var running = try LibvirtDomain(xml: try LibvirtFiles.bytes(path))
                    try running.attach(xml: try LibvirtFiles.bytes(file))
                    configuration = try target.configuration(of: running, until: deadline)
                } catch let error as ConfigurationError {
                    throw Failure("\(error)")
                }
                let part = LibvirtConfiguration.partName(domain), client = try target.client(until: deadline)
                let before = try client.call(Methods.partShow, NameParams()).first { $0.name == part }
                let reply = try client.call(Methods.partSet, PartParams(name: part, yaml: configuration.part.yaml))
                Output.warn(of: reply)
                for change in reply.changes { Output.print(change) }
                if onlyPrepare { return }
                let status = try Self.finish(["virsh", "-c", connect, "attach-device", domain, file, "--live"])
                if status == 0 { return }
                if let before {
                    _ = try client.call(Methods.partSet, PartParams(name: part, yaml: before.yaml))
                } else {
                    _ = try client.call(Methods.partDel, PartDeletion(name: part, ifThere: true))
                }
                throw Failure("virsh ended with \(status): the port and the guest are taken back")
            }
        }

        /// Runs a program with this one's standard input and output, and returns its exit status.
        private static func finish(_ arguments: [String]) throws -> Int32 {
            var words: [UnsafeMutablePointer<CChar>?] = arguments.map { strdup($0) } + [nil]
            defer { for word in words { free(word) } }
            var process: pid_t = 0, status: Int32 = 0
            let started = posix_spawnp(&process, arguments[0], nil, nil, &words, environ)
            guard started == 0 else { throw Failure("\(arguments[0]) cannot be started: \(String(cString: strerror(started)))") }
            while waitpid(process, &status, 0) < 0, errno == EINTR {}
            return status & 0x7f == 0 ? status >> 8 & 0xff : 128 + status & 0x7f
        }
    }
}
