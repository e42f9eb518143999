import ArgumentParser
import ControlAPI
import Foundation
import Libvirt

extension LibvirtCommand {
    struct Statistics: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "ovs-vsctl", abstract: "What libvirt calls as ovs-vsctl, for names and counters of vhostuser interfaces: virsh domifstat.",
            discussion: "It answers libvirt's own questions only. `sluice libvirt install --statistics` puts a script in place that calls it.")
        @OptionGroup var target: LibvirtTarget
        @Argument(parsing: .remaining, help: "The words that libvirt calls ovs-vsctl with, behind --.") var words: [String]

        func run() throws {
            // Other questions are other programs', and nothing is said about them.
            guard let question = OpenvSwitchQuestion(words: words.first == "--" ? Array(words.dropFirst()) : words) else { throw ExitCode(1) }
            try reporting {
                let ports = try target.client(until: .now + .seconds(3)).call(Methods.portShow, NameParams())
                guard let answer = question.answer(ports) else { throw Failure("no vhost port is meant by \(words.joined(separator: " "))") }
                Output.print(answer)
            }
        }
    }
}

extension OpenvSwitchQuestion {
    /// - Returns: nil if no port is meant.
    fileprivate func answer(_ ports: [PortStatus]) -> String? {
        let vhost = ports.filter { $0.kind == "vhost" }
        switch self {
        case .nameOfServer(let path): return vhost.first { $0.mode == "client" && $0.device == path }?.name
        case .nameOfClient(let file): return vhost.first { $0.mode == "server" && ($0.device as NSString).lastPathComponent == file }?.name
        case .statistics(let name):
            guard let port = vhost.first(where: { $0.name == name }) else { return nil }
            return Self.map([
                "rx_bytes": port.rx.bytes, "rx_packets": port.rx.frames, "rx_dropped": port.drops.values.reduce(0, &+), "tx_bytes": port.tx.bytes,
                "tx_packets": port.tx.frames,
            ])
        }
    }
}
