import DataPlane
import Packet
import TestSupport
import Testing

/// What would happen to a frame is what happens to it.
@Suite struct RehearsalTests {
    private static func frame(to destination: UInt64, from source: UInt64, type: UInt16 = 0x0800, size: Int = 60) -> [UInt8] {
        func octets(_ address: UInt64) -> [UInt8] { (0..<6).map { UInt8(truncatingIfNeeded: address >> UInt64(40 - 8 * $0)) } }
        let head = octets(destination) + octets(source) + [UInt8(type >> 8), UInt8(type & 0xff)]
        return head + [UInt8](repeating: 0, count: max(0, size - head.count))
    }

    @Test("a frame that is refused would be refused for the same reason, and nothing is learned or counted", arguments: [
        (0x5254_0000_0002 as UInt64, 0x0300_0000_0001 as UInt64, 0x0800 as UInt16, 60), (0x5254_0000_0002, 0, 0x0800, 60), (0x0180_c200_0000, 0x5254_0000_0001, 0x88cc, 60),
        (0x0180_c200_0001, 0x5254_0000_0001, 0x8808, 60), (0x5254_0000_0002, 0x5254_0000_0001, 0x0800, 1_700), (0x5254_0000_0002, 0x5254_0000_0009, 0x0800, 60),
    ])
    func refusals(_ destination: UInt64, _ source: UInt64, _ type: UInt16, _ size: Int) throws {
        let protocols = ProtocolTable.builtIn()
        defer { protocols.destroy() }
        let trial = AdmissionTrial(isPhysical: false, maxFrame: 1_514, fitsAll: 1_514, protocols: protocols, ports: 2)
        trial.configure(owners: [0x5254_0000_0009: (port: 1, guest: 1)])
        trial.connect(true, 1)
        let frame = Self.frame(to: destination, from: source, type: type, size: size)
        let told = try #require(trial.rehearse(frame, from: 0))
        #expect(trial.drops.allSatisfy { $0 == 0 } && trial.fdb.count == 0)
        #expect(trial.forward([frame], from: 0).isEmpty)
        #expect(trial.drops(told, from: 0) == 1, "\(told)")
    }
}
