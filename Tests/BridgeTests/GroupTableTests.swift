import Bridge
import Packet
import TestSupport
import Testing

@Suite("Ports of groups") struct GroupTableTests {
    private struct Key: Hashable {
        var vlan: UInt16
        var high: UInt64
        var low: UInt64
    }

    /// The traffic that `GroupTraffic.read` would find in a frame for the group of `key`.
    private func traffic(_ kind: GroupTraffic.Kind, _ key: Key) -> GroupTraffic {
        var group = [UInt8](repeating: 0, count: 16)
        for place in 0..<8 {
            group[place] = UInt8(truncatingIfNeeded: key.high >> UInt64(56 - 8 * place))
            group[8 + place] = UInt8(truncatingIfNeeded: key.low >> UInt64(56 - 8 * place))
        }
        var bytes: [UInt8] = key.high == 0 ? [0x01, 0x00, 0x5e, 1, 1, 1] : [0x33, 0x33, 1, 1, 1, 1]
        bytes += [0x52, 0x54, 0, 0, 0, 1]
        if key.high == 0 {
            bytes += [0x08, 0x00, 0x45, 0, 0, 28, 0, 0, 0, 0, 1, kind == .data ? 17 : 2, 0, 0, 10, 0, 0, 1] + group.suffix(4)
            bytes += [kind == .query ? 0x11 : 0x16, 0, 0, 0, 0, 8, 0, 0] + [UInt8](repeating: 0, count: 18)
        } else {
            bytes += [0x86, 0xdd, 0x60, 0, 0, 0, 0, 8, kind == .data ? 17 : 58, 1] + [UInt8](repeating: 0, count: 16) + group
            bytes += [kind == .query ? 130 : 143, 0, 0, 0, 0, 8, 0, 0]
        }
        var record = FrameRecord()
        return bytes.withUnsafeBytes {
            parse($0.baseAddress!, contiguous: bytes.count, length: UInt32(bytes.count), into: &record)
            return GroupTraffic.read($0.baseAddress!, limit: bytes.count, &record)
        }
    }

    @Test("members and routers where somebody asks, everybody where nobody does", arguments: 1...20)
    func asAModelSays(seed: UInt64) {
        var random = Seeded(seed)
        func ports(_ most: Int) -> [UInt16] { (0..<Int.random(in: 0...most, using: &random)).map { _ in UInt16.random(in: 0..<40, using: &random) } }
        var groups: [Key: [UInt16]] = [:], routers: [UInt16: [Bool: [UInt16]]] = [:]
        let vlans: [UInt16] = [0, 1, 10, 4_094]
        for vlan in vlans { for isIPv6 in [false, true] where Bool.random(using: &random) { routers[vlan, default: [:]][isIPv6] = ports(3) } }
        func key() -> Key {
            let vlan = vlans.randomElement(using: &random)!
            return Bool.random(using: &random)
                ? Key(vlan: vlan, high: 0, low: 0xffff_ef00_0000 | UInt64.random(in: 0..<300, using: &random))
                : Key(vlan: vlan, high: 0xff05 << 48, low: UInt64.random(in: 0..<300, using: &random))
        }
        for _ in 0..<Int.random(in: 0..<600, using: &random) { groups[key()] = ports(5) }
        let table = GroupTable(
            groups: groups.map { GroupTable.Group(vlan: $0.key.vlan, high: $0.key.high, low: $0.key.low, ports: $0.value) },
            routers: routers.flatMap { vlan, families in families.map { GroupTable.Routers(vlan: vlan, isIPv6: $0.key, ports: $0.value) } }, seed: seed)
        defer { table.destroy() }
        for _ in 0..<1_000 {
            let key = key(), asking = routers[key.vlan]?[key.high != 0]
            #expect(table.ports(traffic(.data, key), vlan: key.vlan).map(Array.init) == asking.map { Set($0 + (groups[key] ?? [])).sorted() })
            #expect(table.ports(traffic(.report, key), vlan: key.vlan).map(Array.init) == asking.map { Set($0).sorted() })
            #expect(table.ports(traffic(.query, key), vlan: key.vlan) == nil)
        }
    }
}
