import ControlAPI
import Diagnosis
import Testing

/// Frames in words and in files.
@Suite struct FrameDescriptionTests {
    private func frame(_ words: String) throws -> FrameDescription {
        var vm1 = GuestStatus(), vm2 = GuestStatus(), port = PortStatus(), uplink = PortStatus()
        (vm1.name, vm1.port, vm1.macs, vm2.name, vm2.port, vm2.macs) = ("vm1", "tap1", ["52:54:00:00:00:01"], "vm2", "tap2", ["52:54:00:00:00:02"])
        (port.name, uplink.name) = ("tap1", "uplink")
        return try FrameDescription(words.split(separator: " ").map(String.init), guests: [vm1, vm2], ports: [port, uplink])
    }

    private func flaw(_ words: String) -> String? {
        do {
            _ = try frame(words)
            return nil
        } catch { return "\(error)" }
    }

    private func hex(_ bytes: some Sequence<UInt8>) -> String { bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined() }

    @Test func words() throws {
        let iscsi = try frame("from vm1 to 52:54:00:00:00:04 tcp dport 3260 sport 1024 dscp 10")
        #expect(iscsi.port == "tap1" && iscsi.bytes.count == 64)
        #expect(hex(iscsi.bytes[..<14]) == "525400000004" + "525400000001" + "0800")
        #expect(hex(iscsi.bytes[14..<38]) == "4528" + "0032" + "00004000" + "4006" + "0000" + "c0000201" + "c0000202" + "0400" + "0cbc")
        let tagged = try frame("from vm1 to vm2 vlan 10 pcp 3 udp dport 53 size 100")
        #expect(hex(tagged.bytes[..<18]) == "525400000002" + "525400000001" + "8100600a" + "0800" && tagged.bytes.count == 100)
        let six = try frame("from uplink mac 02:00:00:00:00:07 to vm1 ip 2001:db8::1 fe80::1:2 tcp dport 80")
        #expect(six.port == "uplink" && hex(six.bytes[6..<12]) == "020000000007" && hex(six.bytes[12..<16]) == "86dd6000")
        #expect(hex(six.bytes[22..<54]) == "20010db8000000000000000000000001" + "fe800000000000000000000000010002")
        #expect(hex(try frame("from vm1 to broadcast arp").bytes[..<22]) == "ffffffffffff" + "525400000001" + "0806" + "0001080006040001")
        #expect(hex(try frame("from vm1 to vm2 ethertype 0x8906 size 20").bytes) == "525400000002" + "525400000001" + "8906" + "000000000000")
        #expect(hex(try frame("from uplink hex 5254:0000 0004").bytes) == "525400000004")
    }

    @Test(arguments: [
        ("", "a frame is described such as"), ("from vm9 to vm1", "there is no guest or port 'vm9': did you mean vm1?"), ("from vm1", "to whom?"), ("from vm1 to vm9", "'vm9' is no MAC address"),
        ("from vm1 to vm2 dport 70000", "dport takes a number from 0 to 65535, not '70000'"), ("from vm1 to vm2 what 7", "'what' is no key"), ("from vm1 to vm2 vlan", "'vlan' needs a value"),
        ("from vm1 to vm2 ip 10.0.0.1 ::1", "ip takes two addresses of one family"), ("from vm1 hex 5", "behind hex stand the frame's bytes"), ("from vm1 to vm2 ip 1.2.3 1.2.3.4", "ip takes two"),
        ("from vm1 to vm2 dport 3260", "dport needs a protocol that has ports: write tcp or udp"), ("from vm1 to vm2 icmp sport 1", "sport needs a protocol that has ports"),
        ("from vm1 to vm2 tcp udp", "cannot be both tcp and udp"), ("from vm1 to vm2 to vm1", "'to' stands there twice"),
    ])
    func wrongWords(_ words: String, _ sentence: String) { #expect(flaw(words)?.contains(sentence) == true, "\(flaw(words) ?? "nothing")") }

    @Test func files() throws {
        func little(_ values: UInt32...) -> [UInt8] { values.flatMap { value in withUnsafeBytes(of: value.littleEndian) { Array($0) } } }
        func big(_ values: UInt32...) -> [UInt8] { values.flatMap { value in withUnsafeBytes(of: value.bigEndian) { Array($0) } } }
        let one: [UInt8] = [1, 2, 3, 4, 5], two: [UInt8] = [9]
        for isBig in [false, true] {
            let head = isBig ? big(0xa1b2_c3d4, 0x0002_0004, 0, 0, 65_535, 1) : little(0xa1b2_c3d4, 0x0002_0004, 0, 0, 65_535, 1)
            var file = head
            for frame in [one, two] {
                let length = UInt32(frame.count)
                file += isBig ? big(1, 2, length, 99) : little(1, 2, length, 99)
                file += frame
            }
            #expect(try PacketCapture(file).frames == [one, two])
            #expect(throws: PacketCapture.Flaw("the file ends in the middle of frame 2")) { try PacketCapture(Array(file.dropLast())) }
            #expect(throws: PacketCapture.Flaw("the file ends in the middle of the header of frame 2")) { try PacketCapture(Array(file.dropLast(2))) }
            #expect(throws: PacketCapture.Flaw("the file ends in the middle of the header of frame 3")) { try PacketCapture(file + [0]) }
            let other = Array(head[..<20]) + (isBig ? big(113) : little(113))
            #expect(throws: PacketCapture.Flaw.self) { try PacketCapture(other) }
        }
        func block(_ type: UInt32, _ body: [UInt8]) -> [UInt8] {
            let padded = body + [UInt8](repeating: 0, count: (4 - body.count % 4) % 4), length = UInt32(padded.count + 12)
            return little(type, length) + padded + little(length)
        }
        let section = block(0x0a0d_0d0a, little(0x1a2b_3c4d, 1, .max, .max)), ethernet = block(1, little(1, 0)), foreign = block(1, little(113, 0))
        let first = block(6, little(0, 0, 0, 5, 5) + one), statistics = block(5, little(7)), second = block(6, little(1, 0, 0, 1, 1) + two)
        let file = [section, ethernet, foreign, first, statistics, second].flatMap { $0 }
        #expect(try PacketCapture(file).frames == [one])
        for cut in [3, 30] {
            #expect(throws: PacketCapture.Flaw("the file ends in the middle of a block, behind frame 1")) { try PacketCapture(Array(file.dropLast(cut))) }
        }
        #expect(throws: PacketCapture.Flaw("this is no pcap or pcapng file")) { try PacketCapture([UInt8](repeating: 7, count: 100)) }
        // Blocks of other programs: a packet block (2), and simple packet blocks (3), which have the first interface's limit of bytes.
        let limited = block(1, little(1, 4)), simple = block(3, little(5) + one[..<4]), short = block(3, little(1) + two), old = block(2, little(0, 0, 0, 5, 5) + one)
        #expect(try PacketCapture([section, limited, simple, short, old].flatMap { $0 }).frames == [Array(one[..<4]), two, one])
        #expect(try PacketCapture([section, block(1, little(113, 4)), simple, short].flatMap { $0 }).frames == [])
        for (name, bad) in [("longer", block(3, little(9) + two)), ("longer", block(6, little(0, 0, 0, 99, 99) + one)), ("short", block(6, little(0, 0)))] {
            let file = [section, ethernet, bad].flatMap { $0 }
            let sentence = name == "longer" ? "frame 1 is longer than its block" : "the block behind frame 0 is too short for what it says to be"
            #expect(throws: PacketCapture.Flaw(sentence)) { try PacketCapture(file) }
        }
    }
}
