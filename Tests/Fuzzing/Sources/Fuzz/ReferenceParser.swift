import Packet

/// Implements the rules of `parse` once more, slowly, on an array that traps on every index out of bounds.
func referenceParse(_ frame: [UInt8], length: Int) -> FrameRecord {
    var record = FrameRecord()
    record.length = UInt32(length)
    let bytes = Array(frame.prefix(length))
    func number(_ at: Int, _ size: Int) -> Int { (0..<size).reduce(0) { $0 << 8 | Int(bytes[at + $1]) } }
    guard bytes.count >= 14 else {
        record.flags = .runt
        return record
    }
    record.destination = UInt64(number(0, 6))
    record.source = UInt64(number(6, 6))
    if bytes[0] & 1 == 1 { record.flags.insert(.multicast) }
    var at = 12
    while record.tagCount < 2, [0x8100, 0x88a8, 0x9100].contains(number(at, 2)) {
        if bytes.count < at + 6 {
            record.flags.insert(.truncated)
            break
        }
        if record.tagCount == 0 {
            record.tci = UInt16(number(at + 2, 2))
            record.pcp = UInt8(number(at + 2, 2) >> 13)
        }
        record.tagCount += 1
        at += 4
    }
    record.etherType = UInt16(number(at, 2))
    let start = at + 2
    record.l3Offset = UInt8(start)

    var upper = start
    var end = bytes.count
    switch record.etherType {
    case 0x0800:
        record.flags.insert(.ipv4)
        if end - start < 20 {
            record.flags.insert(.truncated)
            return record
        }
        let header = number(start, 1) % 16 * 4
        if number(start, 1) / 16 != 4 || header < 20 {
            record.flags.insert(.malformed)
            return record
        }
        record.dscp = UInt8(number(start + 1, 1) / 4)
        record.ipProtocol = bytes[start + 9]
        if number(start + 6, 2) % 0x4000 != 0 {
            record.flags.insert(.fragment)
            return record
        }
        end = min(end, start + number(start + 2, 2))
        if end < start + header {
            record.flags.insert(.truncated)
            return record
        }
        upper = start + header
    case 0x86dd:
        record.flags.insert(.ipv6)
        if end - start < 40 {
            record.flags.insert(.truncated)
            return record
        }
        if number(start, 1) / 16 != 6 {
            record.flags.insert(.malformed)
            return record
        }
        record.dscp = UInt8(number(start, 2) / 64 % 64)
        if number(start + 4, 2) != 0 { end = min(end, start + 40 + number(start + 4, 2)) }
        upper = start + 40
        var next = number(start + 6, 1)
        var extensions = 0
        while [0, 43, 44, 51, 60].contains(next) {
            if extensions == 8 {
                record.flags.insert(.malformed)
                return record
            }
            extensions += 1
            if upper + 8 > end {
                record.flags.insert(.truncated)
                return record
            }
            if next == 44, number(upper + 2, 2) / 8 != 0 || bytes[upper + 3] % 2 == 1 {
                record.ipProtocol = bytes[upper]
                record.flags.insert(.fragment)
                return record
            }
            let size = next == 44 ? 8 : next == 51 ? number(upper + 1, 1) * 4 + 8 : number(upper + 1, 1) * 8 + 8
            next = number(upper, 1)
            if upper + size > end {
                record.flags.insert(.truncated)
                return record
            }
            upper += size
        }
        record.ipProtocol = UInt8(next)
    default:
        return record
    }
    let needed: [UInt8: Int] = [6: 20, 17: 8]
    if let size = needed[record.ipProtocol] {
        if upper + size > end {
            record.flags.insert(.truncated)
            return record
        }
        record.sourcePort = UInt16(number(upper, 2))
        record.destinationPort = UInt16(number(upper + 2, 2))
        record.flags.insert(.ports)
        record.l4Offset = UInt16(upper)
    } else if upper < end {
        record.l4Offset = UInt16(upper)
    }
    return record
}

/// Everything that `parse` writes, as text, so that two records can be compared and a difference can be read.
func describe(_ r: FrameRecord) -> String {
    "dst \(MACAddress(value: r.destination)) src \(MACAddress(value: r.source)) length \(r.length) type \(r.etherType) tci \(r.tci) tags \(r.tagCount) pcp \(r.pcp)"
        + " l3 \(r.l3Offset) l4 \(r.l4Offset) proto \(r.ipProtocol) dscp \(r.dscp) ports \(r.sourcePort) \(r.destinationPort) flags \(r.flags.rawValue) row \(r.protocolID)"
}
