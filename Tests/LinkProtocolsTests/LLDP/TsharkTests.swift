import Foundation
import LinkProtocols
import Packet
import Testing

@Suite("LLDP frames as tshark reads them")
struct TsharkTests {
    /// Frames of all kinds that are sent, each with the number of TLVs in it.
    static var frames: [[UInt8]] {
        var settings = DCBXPairTests.settings(DCBXTests.mine, willing: true, advises: DCBXTests.advised, pfc: 0x18, entries: DCBXPairTests.first)
        settings.parameters.applications? += [.init(.anyPort, 53, priority: 1), .init(.dscp, 46, priority: 5), .init(.etherType, 0, priority: 0)]
        var frames: [[UInt8]] = []
        for dcbx in [DCBXSettings(), settings] {
            var lab = LLDPLab(dcbx: dcbx)
            lab.pass(5)
            lab.link.set(LLDPSettings(), status: .disabled, dcbx: dcbx, now: lab.now)
            lab.pass(5)
            frames += lab.sent.map(\.frame)
        }
        return frames
    }

    /// A capture file of Ethernet frames.
    static func capture(_ frames: [[UInt8]]) -> [UInt8] {
        func word(_ number: Int) -> [UInt8] { (0..<4).map { UInt8(number >> (8 * $0) & 255) } }
        let head: [UInt8] = [0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0] + word(0) + word(0) + word(65_535) + word(1)
        return head + frames.enumerated().flatMap { word($0.offset) + word(0) + word($0.element.count) + word($0.element.count) + $0.element }
    }

    @Test(
        "every frame that is sent is dissected without a complaint",
        .enabled(if: FileManager.default.isExecutableFile(atPath: "/usr/bin/tshark"), "tshark is not installed: nobody else has read the frames"))
    func dissected() throws {
        let frames = Self.frames
        #expect(frames.count == 4)
        let file = FileManager.default.temporaryDirectory.appendingPathComponent("lldp-\(UUID().uuidString).pcap")
        defer { try? FileManager.default.removeItem(at: file) }
        try Data(Self.capture(frames)).write(to: file)
        let tshark = Process(), output = Pipe()
        tshark.executableURL = URL(fileURLWithPath: "/usr/bin/tshark")
        tshark.arguments = ["-r", file.path, "-T", "json", "-V"]
        tshark.standardOutput = output
        tshark.standardError = FileHandle.nullDevice
        try tshark.run()
        let data = output.fileHandleForReading.readDataToEndOfFile()
        tshark.waitUntilExit()
        let text = String(decoding: data, as: UTF8.self)
        let packets = try #require(try JSONSerialization.jsonObject(with: data) as? [Any])
        #expect(packets.count == frames.count && tshark.terminationStatus == 0)
        for complaint in ["_ws.malformed", "_ws.expert", "_ws.short", "Malformed"] { #expect(!text.contains(complaint), "\(complaint) in \(text)") }
        let read = [
            "lldp.chassis.id.mac", "lldp.port.id", "lldp.tlv.system.name", "ETS Configuration", "ETS Recommendation", "Flow Control Configuration", "Application",
        ]
        for part in read { #expect(text.contains(part), "\(part) not in \(text.prefix(20_000))") }
    }
}
