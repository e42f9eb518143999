import Packet

/// Gratuitous ARP, which tells a learning bridge where an address is (RFC 5227, 3).
enum Announcement {
    static func bytes(_ mac: MACAddress, vlan: UInt16?, port: Int) -> [UInt8] {
        var frame = FrameBytes()
        frame.append48(0xffff_ffff_ffff)
        frame.append48(mac.value)
        if let vlan {
            frame.append16(0x8100)
            frame.append16(Int(vlan))
        }
        let body = frame.count
        frame.append16(0x0806)
        frame.append16(1)
        frame.append16(0x0800)
        frame.append(6, 4)
        frame.append16(1)
        frame.append48(mac.value)
        frame.append32(FrameLane.ipv4(port, 0))
        frame.append48(0)
        frame.append32(FrameLane.ipv4(port, 0))
        frame.appendZeros(body + 48 - frame.count)
        return frame.bytes
    }
}
