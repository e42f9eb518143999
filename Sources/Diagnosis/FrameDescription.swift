import Configuration
import ControlAPI
import Packet

/// A frame in words, such as `from vm1 to 52:54:00:00:00:04 tcp dport 3260`, and the bytes that it stands for.
public struct FrameDescription: Equatable, Sendable {
    /// A sentence that says what is wrong with a description.
    public struct Flaw: Error, Equatable, CustomStringConvertible {
        public let description: String
        init(_ description: String) { self.description = description }
    }

    /// The port that the frame comes in by.
    public private(set) var port = ""
    public private(set) var bytes: [UInt8] = []

    private var source = MACAddress(value: 0)
    private var destination: MACAddress?
    private var vlan: UInt16?
    private var pcp: UInt16 = 0
    private var etherType: UInt16 = 0x0800
    private var ipProtocol: UInt8 = 17
    private var dscp: UInt8 = 0
    private var ports: (from: UInt16, to: UInt16) = (49_152, 49_152)
    private var size = 64
    private var addresses: (from: [UInt8], to: [UInt8])?

    public static func == (one: FrameDescription, other: FrameDescription) -> Bool { one.port == other.port && one.bytes == other.bytes }

    /// - Parameters:
    ///   - words: the description, beginning with `from`.
    ///   - guests, ports: whose names may stand in it.
    public init(_ words: [String], guests: [GuestStatus], ports known: [PortStatus]) throws(Flaw) {
        var rest = words[...]
        func value(of key: String) throws(Flaw) -> String {
            guard let value = rest.popFirst() else { throw Flaw("'\(key)' needs a value") }
            return value
        }
        func number(of key: String, _ range: ClosedRange<Int>) throws(Flaw) -> Int {
            let text = try value(of: key)
            guard let number = text.hasPrefix("0x") ? Int(text.dropFirst(2), radix: 16) : Int(text), range.contains(number) else {
                throw Flaw("\(key) takes a number from \(range.lowerBound) to \(range.upperBound), not '\(text)'")
            }
            return number
        }
        func station(_ name: String) -> MACAddress? {
            if name == "broadcast" { return MACAddress(value: 0xffff_ffff_ffff) }
            return MACAddress(name) ?? guests.first { $0.name == name }.flatMap { $0.macs.first }.flatMap { MACAddress($0) }
        }
        guard rest.popFirst() == "from" else { throw Flaw("a frame is described such as: from vm1 to 52:54:00:00:00:04 tcp dport 3260") }
        let name = try value(of: "from")
        if let guest = guests.first(where: { $0.name == name }), let mac = guest.macs.first.flatMap({ MACAddress($0) }) {
            (port, source) = (guest.port, mac)
        } else if let there = known.first(where: { $0.name == name }) {
            port = there.name
            // A port without a guest is the way to others, whose addresses are not known: this one is locally administered, and nobody's.
            source = guests.first { $0.port == there.name && !$0.macs.isEmpty }.flatMap { MACAddress($0.macs[0]) } ?? MACAddress(value: 0x0253_0000_0001)
        } else {
            throw Flaw("there is no guest or port '\(name)': \(hint(name, among: guests.map(\.name) + known.map(\.name), none: "there is none at all"))")
        }
        if rest.first == "hex" {
            rest = rest.dropFirst()
            let digits = rest.joined(separator: "").filter { $0 != ":" && $0 != " " }
            do { bytes = try ExplainParams(port: port, frame: digits).bytes() } catch { throw Flaw("behind hex stand the frame's bytes, two hexadecimal digits each") }
            return
        }
        var protocolKey: String?, portKey: String?, given: Set<String> = []
        while let key = rest.popFirst() {
            guard given.insert(key).inserted else { throw Flaw("'\(key)' stands there twice: write it once") }
            switch key {
            case "tcp", "udp", "icmp", "arp", "fcoe":
                if let other = protocolKey { throw Flaw("a frame cannot be both \(other) and \(key): write one of them") }
                protocolKey = key
            case "sport", "dport": portKey = key
            default: break
            }
            switch key {
            case "to":
                let text = try value(of: key)
                guard let mac = station(text) else {
                    let named = guests.filter { !$0.macs.isEmpty }.map(\.name)
                    throw Flaw("'\(text)' is no MAC address and no guest that has one: \(hint(text, among: named, none: "no guest has one"))")
                }
                destination = mac
            case "mac":
                let text = try value(of: key)
                guard let mac = MACAddress(text) else { throw Flaw("'\(text)' is no MAC address") }
                source = mac
            case "vlan": vlan = UInt16(try number(of: key, 0...4_094))
            case "pcp": (pcp, vlan) = (UInt16(try number(of: key, 0...7)), vlan ?? 0)
            case "dscp": dscp = UInt8(try number(of: key, 0...63))
            case "size": size = try number(of: key, 14...65_535)
            case "ethertype": etherType = UInt16(try number(of: key, 0x600...0xffff))
            case "arp": etherType = 0x0806
            case "fcoe": etherType = 0x8906
            case "tcp": ipProtocol = 6
            case "udp": ipProtocol = 17
            case "icmp": ipProtocol = 1
            case "sport": ports.from = UInt16(try number(of: key, 0...65_535))
            case "dport": ports.to = UInt16(try number(of: key, 0...65_535))
            case "ip":
                guard let from = IPPrefixBytes.read(try value(of: key)), let to = IPPrefixBytes.read(try value(of: key)), from.count == to.count else {
                    throw Flaw("ip takes two addresses of one family, such as: ip 10.0.0.1 10.0.0.2")
                }
                addresses = (from, to)
                etherType = from.count == 4 ? 0x0800 : 0x86dd
            default: throw Flaw("'\(key)' is no key: there are to, mac, vlan, pcp, ip, dscp, tcp, udp, icmp, sport, dport, arp, fcoe, ethertype, size and hex")
            }
        }
        if let portKey, protocolKey != "tcp", protocolKey != "udp" { throw Flaw("\(portKey) needs a protocol that has ports: write tcp or udp, too") }
        guard let destination else { throw Flaw("to whom? write to and a MAC address, a guest, or broadcast") }
        bytes = frame(to: destination)
    }

    private func frame(to destination: MACAddress) -> [UInt8] {
        func pair(_ value: UInt16) -> [UInt8] { [UInt8(value >> 8), UInt8(value & 0xff)] }
        func octets(_ mac: MACAddress) -> [UInt8] { (0..<6).map { UInt8(truncatingIfNeeded: mac.value >> UInt64(40 - 8 * $0)) } }
        var frame = octets(destination) + octets(source)
        if let vlan { frame += pair(0x8100) + pair(pcp << 13 | vlan) }
        frame += pair(etherType)
        var layer4: [UInt8] = pair(ports.from) + pair(ports.to)
        switch ipProtocol {
        case 6: layer4 += [0, 0, 0, 1, 0, 0, 0, 0, 0x50, 0x10, 0xff, 0xff, 0, 0, 0, 0]
        case 17: layer4 += [0, 8, 0, 0]
        default: layer4 = [8, 0, 0, 0, 0, 1, 0, 1]
        }
        let room = max(layer4.count, size - frame.count - (etherType == 0x86dd ? 40 : 20))
        if ipProtocol == 17 { layer4.replaceSubrange(4..<6, with: pair(UInt16(truncatingIfNeeded: room))) }
        switch etherType {
        case 0x0800:
            let (from, to) = addresses ?? ([192, 0, 2, 1], [192, 0, 2, 2])
            frame += [0x45, dscp << 2]
            frame += pair(UInt16(truncatingIfNeeded: 20 + room))
            frame += [0, 0, 0x40, 0, 64, ipProtocol, 0, 0]
            frame += from + to + layer4
        case 0x86dd:
            let (from, to) = addresses ?? (Self.documentation(1), Self.documentation(2))
            frame += [0x60 | dscp >> 2, dscp << 6, 0, 0]
            frame += pair(UInt16(truncatingIfNeeded: room))
            frame += [ipProtocol == 1 ? 58 : ipProtocol, 64]
            frame += from + to + layer4
        case 0x0806:
            frame += [0, 1, 8, 0, 6, 4, 0, 1]
            frame += octets(source)
            frame += [192, 0, 2, 1, 0, 0, 0, 0, 0, 0, 192, 0, 2, 2]
        default: break
        }
        return frame + [UInt8](repeating: 0, count: max(0, size - frame.count))
    }

    /// An address of 2001:db8::/32, which is for documentation (RFC 3849).
    private static func documentation(_ last: UInt8) -> [UInt8] { [0x20, 0x01, 0x0d, 0xb8] + [UInt8](repeating: 0, count: 11) + [last] }
}

/// Addresses of IPv4 and IPv6, as their bytes.
enum IPPrefixBytes {
    /// nil: it is no address.
    static func read(_ text: String) -> [UInt8]? {
        if !text.contains(":") {
            let parts = text.split(separator: ".", omittingEmptySubsequences: false)
            let bytes = parts.compactMap { UInt8($0) }
            return parts.count == 4 && bytes.count == 4 ? bytes : nil
        }
        let halves = text.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
        // RFC 4291, 2.2: one run of zeros may be left out, for which `::` stands.
        let parts = text.components(around: "::")
        guard parts.count <= 2, halves.count <= 8 + 1 else { return nil }
        func groups(_ text: Substring) -> [UInt16]? {
            if text.isEmpty { return [] }
            let words = text.split(separator: ":", omittingEmptySubsequences: false), values = words.compactMap { $0.utf8.count <= 4 ? UInt16($0, radix: 16) : nil }
            return values.count == words.count ? values : nil
        }
        guard let head = groups(parts[0]), let tail = parts.count == 2 ? groups(parts[1]) : [] else { return nil }
        let count = head.count + tail.count
        guard parts.count == 2 ? count < 8 : count == 8 else { return nil }
        return (head + [UInt16](repeating: 0, count: 8 - count) + tail).flatMap { [UInt8($0 >> 8), UInt8($0 & 0xff)] }
    }
}

extension String {
    /// The parts around a separator, empty ones included.
    fileprivate func components(around separator: String) -> [Substring] {
        var parts: [Substring] = [], rest = self[...]
        while let range = rest.firstRange(of: separator) {
            parts.append(rest[..<range.lowerBound])
            rest = rest[range.upperBound...]
        }
        return parts + [rest]
    }
}
