import Foundation
import Packet
import Testing
import TrafficGenerator

/// Frames of every kind: their fields must be in the right places, and their checksums must hold whatever signature is written into them.
@Suite struct FrameTests {
    static let kinds: [TrafficKind] = [.udp, .tcp, .iscsi, .fcoe, .fip, .roce, .rocev2, .nvmeTCP, .etherType(0x88b5)]
    static let source = MACAddress("52:54:00:00:00:01")!, destination = MACAddress("52:54:00:00:00:02")!

    static func frames() -> [(FlowPlan, [UInt8])] {
        var list: [(FlowPlan, [UInt8])] = []
        var sequence: UInt32 = 0
        for kind in kinds {
            for variant in 0..<4 {
                var plan = FlowPlan(name: "f", from: "a", to: .port("b"))
                plan.kind = kind
                plan.dscp = 10
                if variant & 1 == 1 { plan.vlan = 7; plan.pcp = 5 }
                if variant & 2 == 2 {
                    guard [.udp, .tcp, .iscsi, .nvmeTCP, .rocev2].contains(kind) else { continue }
                    plan.ipv6 = true
                }
                let least = FrameTemplate.leastSize(kind, ipv6: plan.ipv6)
                for size in [least, least + 1, 128, 191, 590, 1_514] where size >= least {
                    // Each frame uses a connection of its own, because the dissector does not dissect repeated data of one connection.
                    let template = FrameTemplate(
                        plan, size: size, source: source, destination: destination, subflow: list.count,
                        lane: FrameLane(source: 0, destination: 1))
                    var bytes = template.bytes
                    sequence &+= 0x0101_0107
                    bytes.withUnsafeMutableBytes {
                        Signature(time: UInt64(sequence) &* 7_919, stream: 5, sequence: sequence).write(to: $0.baseAddress! + template.signatureOffset)
                    }
                    #expect(bytes.count == size + (plan.vlan == nil ? 0 : 4))
                    list.append((plan, bytes))
                }
            }
        }
        return list
    }

    /// Whoever cuts a frame into segments starts from the sum of the pseudo-header, with the length of the whole.
    @Test func framesToBeSegmentedHaveTheSumOfTheirPseudoHeader() {
        var plan = FlowPlan(name: "f", from: "a", to: .port("b"))
        (plan.kind, plan.segment) = (.tcp, 1_448)
        let bytes = FrameTemplate(
            plan, size: 65_214, source: Self.source, destination: Self.destination, subflow: 0, lane: FrameLane(source: 0, destination: 1)).bytes
        let length = bytes.count - 34
        #expect(bytes.count == 65_214 && sum(bytes[14..<34]) == 0xffff)
        #expect(sum(bytes[26..<34] + [0, 6, UInt8(length >> 8), UInt8(length & 255)]) == UInt16(bytes[50]) << 8 | UInt16(bytes[51]))
    }

    @Test func checksumsHoldForEverySignature() {
        for (plan, bytes) in Self.frames() where [.udp, .tcp, .iscsi, .nvmeTCP, .rocev2].contains(plan.kind) {
            let network = plan.vlan == nil ? 14 : 18
            let header = plan.ipv6 ? 40 : 20
            if !plan.ipv6 { #expect(sum(bytes[network..<network + 20]) == 0xffff) }
            let addresses = plan.ipv6 ? bytes[network + 8..<network + 40] : bytes[network + 12..<network + 20]
            let payload = bytes[(network + header)...]
            let udp = plan.kind == .udp || plan.kind == .rocev2
            var total = UInt32(sum(addresses)) + UInt32(sum(payload)) + UInt32(payload.count) + (udp ? 17 : 6)
            while total > 0xffff { total = total & 0xffff + total >> 16 }
            #expect(total == 0xffff, "\(plan.kind.name) of \(bytes.count)")
        }
    }

    private func sum(_ bytes: ArraySlice<UInt8>) -> UInt16 {
        var total: UInt32 = 0
        for (index, byte) in bytes.enumerated() {
            total += index & 1 == 0 ? UInt32(byte) << 8 : UInt32(byte)
            if total > 0xffff { total = total & 0xffff + total >> 16 }
        }
        return UInt16(total)
    }

    /// The switch's protocol table must recognise each frame's protocol.
    @Test func theSwitchKnowsEveryKind() {
        let table = ProtocolTable.builtIn()
        defer { table.destroy() }
        for (plan, bytes) in Self.frames() {
            var record = FrameRecord()
            bytes.withUnsafeBytes { parse($0.baseAddress!, contiguous: $0.count, length: UInt32($0.count), into: &record) }
            let known = KnownProtocol.all.first { $0.row == table.identify(&record) }
            let place: Comment = "\(plan.kind.name) of \(bytes.count) bytes"
            switch plan.kind {
            case .udp, .tcp, .etherType: #expect(known == nil, place)
            default: #expect(known?.name == plan.kind.name, place)
            }
            #expect(record.source == Self.source.value && record.destination == Self.destination.value)
            #expect(record.tagCount == (plan.vlan == nil ? 0 : 1))
            if plan.vlan != nil { #expect(record.vid == 7 && record.pcp == 5) }
            #expect(!record.flags.has(.truncated) && !record.flags.has(.malformed), place)
        }
    }

    /// An independent dissector must identify every frame as what it is meant to be, and find no wrong checksum.
    @Test(.enabled(if: FileManager.default.isExecutableFile(atPath: "/usr/bin/tshark"), "tshark is not installed"))
    func tsharkAgrees() throws {
        let frames = Self.frames()
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("sluice-frames-\(getpid())")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let file = folder.appendingPathComponent("frames.pcap")
        try Data(CaptureFile(frames: frames.map(\.1)).bytes).write(to: file)
        let output = try Command.run(
            "/usr/bin/tshark",
            ["-r", file.path, "-o", "ip.check_checksum:TRUE", "-o", "tcp.check_checksum:TRUE", "-o", "udp.check_checksum:TRUE",
             "-T", "fields", "-E", "separator=|", "-e", "frame.protocols", "-e", "_ws.malformed", "-e", "ip.checksum.status",
             "-e", "tcp.checksum.status", "-e", "udp.checksum.status", "-e", "vlan.priority"]).output
        let lines = output.split(separator: "\n").map { $0.split(separator: "|", omittingEmptySubsequences: false).map(String.init) }
        #expect(lines.count == frames.count)
        for ((plan, bytes), line) in zip(frames, lines) {
            let place: Comment = "\(plan.kind.name), \(bytes.count) bytes, IPv6 \(plan.ipv6): \(line)"
            let layer = switch plan.kind {
            case .udp: "udp"
            case .tcp, .nvmeTCP: "tcp"
            case .iscsi: bytes.count >= 200 ? "iscsi" : "tcp"
            case .fcoe: "fcoe"
            case .fip: "fip"
            case .roce, .rocev2: "infiniband"
            case .etherType: "ethertype"
            }
            guard line.count == 6 else { Issue.record(place); continue }
            #expect(line[0].split(separator: ":").contains(Substring(layer)), place)
            #expect(line[1].isEmpty, place)
            for status in line[2...4] { #expect(status.isEmpty || status == "1", place) }
            #expect(line[5] == (plan.vlan == nil ? "" : "5"), place)
        }
    }
}
