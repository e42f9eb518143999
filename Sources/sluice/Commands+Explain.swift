import ArgumentParser
import ControlAPI
import Diagnosis
import Foundation

struct ExplainCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "explain", abstract: "What would happen to a frame: explain from vm1 to 52:54:00:00:00:04 tcp dport 3260",
        discussion: """
            from GUEST|PORT to MAC|GUEST|broadcast [mac SOURCE] [vlan ID] [pcp N] [ip SOURCE DESTINATION] [tcp|udp|icmp] [sport N] [dport N] [dscp N] [arp] [fcoe] \
            [ethertype N] [size BYTES]; or from PORT hex BYTES; or from PORT --pcap FILE [--number N]. The stages of the poll loops decide, by the tables in \
            force; nothing is learned, counted or sent.
            """)
    @OptionGroup var connecting: Connecting
    @Argument(help: "The frame in words.") var words: [String]
    @Option(help: "A pcap or pcapng file that has the frame.", completion: .file(extensions: ["pcap", "pcapng", "cap"])) var pcap: String?
    @Option(help: "Which frame of that file, from 1.") var number = 1

    func validate() throws {
        if pcap != nil, words.count != 2 || words[0] != "from" { throw ValidationError("with --pcap, write from and the port that the frame comes in by") }
        if number < 1 { throw ValidationError("--number takes a number from 1") }
    }

    func run() throws {
        try reporting {
            let client = connecting.client
            let (guests, ports) = (try client.call(Methods.guestShow, NameParams()), try client.call(Methods.portShow, NameParams()))
            let frame: FrameDescription
            do {
                frame = try FrameDescription(try described(), guests: guests, ports: ports)
            } catch let flaw as FrameDescription.Flaw {
                throw Failure(flaw.description)
            }
            let hex = frame.bytes.map { byte in (byte < 16 ? "0" : "") + String(byte, radix: 16) }.joined()
            try connecting.show(Methods.frameExplain, ExplainParams(port: frame.port, frame: hex), Tables.explanation)
        }
    }

    /// The words, with those of a file's frame.
    private func described() throws -> [String] {
        guard let pcap else { return words }
        let file: Data
        do {
            file = try Data(contentsOf: URL(fileURLWithPath: pcap))
        } catch {
            throw Failure("\(pcap) cannot be read: \((error as? CocoaError)?.code == .fileReadNoSuchFile ? "there is no such file" : error.localizedDescription)")
        }
        do {
            let capture = try PacketCapture([UInt8](file))
            let count = capture.frames.count
            guard number <= count else { throw Failure("\(pcap) has \(count == 0 ? "no frame" : count == 1 ? "one frame" : "\(count) frames") of Ethernet") }
            let frame = capture.frames[number - 1]
            guard frame.count >= 14 else {
                throw Failure("of frame \(number), \(pcap) has \(frame.count) bytes, and an Ethernet header has 14: choose another with --number\(count > 1 ? ", 1 to \(count)" : "")")
            }
            return words + ["hex", frame.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()]
        } catch let flaw as PacketCapture.Flaw {
            throw Failure("\(pcap): \(flaw)")
        }
    }
}

extension Tables {
    /// An explanation, a line for each thing that would happen.
    package static func explanation(_ told: Explanation) -> String {
        var lines = ["port      \(told.port) of \(told.bridge), \(told.length) bytes" + (told.guest.map { ", from guest \($0)" } ?? "")]
        func filters(_ all: [Explanation.Filtering]) -> [String] { all.map { "filter    \($0.filter.map { "\($0): " } ?? "")\($0.rule)" } }
        if let fip = told.fip { lines.append("fip       \(fip.sentence)") }
        lines += filters(told.filtering)
        if let vlan = told.vlan { lines.append("vlan      \(vlan)") }
        if let drop = told.drop { return (lines + ["dropped   \(drop)\(told.owner.map { ": \($0)" } ?? "")"]).joined(separator: "\n") }
        lines.append("protocol  \(told.protocol ?? "default")")
        let what = told.followsGroup ? "to the ports that have joined the group" : told.flooded ? "flooded" : "to one port"
        lines.append("lookup    \(what)\(told.flooded ? ": \(told.exits.count) port\(told.exits.count == 1 ? "" : "s")" : "")")
        for exit in told.exits {
            lines.append("output    \(exit.port)" + (exit.guest.map { ", guest \($0)" } ?? ""))
            var below = filters(exit.filtering)
            if let path = exit.class { below.append("class     \(path) of \(exit.tree)") }
            if exit.action != "none" { below.append("tag       \(exit.action)" + (exit.vlan.map { " vlan \($0)" } ?? "") + (exit.pcp.map { " pcp \($0)" } ?? "")) }
            if let drop = exit.drop { below.append("dropped   \(drop)") } else {
                below += exit.holds.isEmpty ? ["now       nothing holds it"] : exit.holds.map { "held      \($0)" }
            }
            lines += below.map { "  \($0)" }
        }
        return lines.joined(separator: "\n")
    }
}
