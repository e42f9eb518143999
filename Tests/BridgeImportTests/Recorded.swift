/// Messages of rtnetlink(7) as tc(8) and bridge(8) of iproute2 6.1 send them to the kernel, without netlink's own header, and without the tables of rates that
/// the kernel no longer reads. The kernel's answers have the same attributes; where it gives a filter a handle, `answered` does.
enum Recorded {
    /// `tc filter add dev wire parent 1: protocol all prio 3 flower src_mac 52:54:00:12:34:56 flowid 1:10`
    static let flower = bytes(
        "00000000020000000000000000000100000303000b000100666c6f77657200002c0002000a00060052540012345600000a000700ffffffffffff0000"
            + "08000100100001000800160000000000")
    /// `tc filter add dev wire parent 1: protocol ip prio 3 flower ip_proto tcp dst_port 3260 flowid 1:10`
    static let flowerPort = bytes(
        "00000000020000000000000000000100080003000b000100666c6f77657200002c0002000500090006000000060013000cbc00000800010010000100"
            + "08001600000000000600080008000000")
    /// `tc filter add dev wire parent 1: protocol ip prio 3 flower dst_mac 52:54:00:00:00:00/ff:ff:ff:00:00:00 flowid 1:10`
    static let flowerMask = bytes(
        "00000000020000000000000000000100080003000b000100666c6f7765720000340002000a00040052540000000000000a000500ffffff0000000000"
            + "080001001000010008001600000000000600080008000000")
    /// `tc filter add dev wire parent 1: protocol all prio 4 handle 5 fw flowid 1:10`
    static let fw = bytes(
        "000000000200000005000000000001000003040007000100667700000c0002000800010010000100")
    /// `tc filter add dev wire parent 1: protocol all prio 5 basic match "u32(u32 0x1 0xff at 0)" flowid 1:10`
    static let basic = bytes(
        "00000000020000000000000000000100000305000a0001006261736963000000380002002c0002000800010001000000200002001c00010000000300"
            + "00000000000000ff0000000100000000000000000800010010000100")
    /// `tc filter add dev wire parent 1: protocol all prio 6 matchall flowid 1:10`
    static let matchall = bytes(
        "00000000020000000000000000000100000306000d0001006d61746368616c6c000000000c0002000800010010000100")
    /// `tc filter add dev wire parent ffff: protocol all u32 match u32 0 0 police rate 5000kbps burst 7kb mtu 64kb drop flowid :1`
    static let police = bytes(
        "0000000002000000000000000000ffff00030000080001007533320070000200400006003c0001000000000002000000000000007657000000000100"
            + "09010000ffff0000404b4c00000000000000000000000000000000000000000000000000080001000100000024000500010001000000000000000000"
            + "0000000000000000000000000000000000000000")
    /// `tc filter add dev wire parent ffff: protocol all matchall action police rate 50gbit burst 1mb peakrate 60gbit mtu 64kb conform-exceed drop`
    static let policeAction = bytes(
        "0000000002000000000000000000ffff000300000d0001006d61746368616c6c00000000700002006c000200680001000b000100706f6c6963650000"
            + "580002803c000100000000000200000000000000310a00000000010009010000ffff0000ffffffff09010000ffff0000ffffffff0000000000000000"
            + "000000000c000800806e8774010000000c00090000eb08bf01000000")
    /// `tc filter add dev wire parent ffff: protocol all matchall action mirred egress mirror dev wire`
    static let mirred = bytes(
        "0000000002000000000000000000ffff000300000d0001006d61746368616c6c000000003c00020038000200340001000b0001006d69727265640000"
            + "240002802000020000000000000000000300000000000000000000000200000002000000")
    /// `tc filter add dev wire parent 1: protocol ip prio 3 u32 match tcp dst 3260 0xffff flowid 1:10`
    static let u32NextHeader = bytes(
        "000000000200000000000000000001000800030008000100753332003000020008000100100001002400050001000100000000000000000000000000"
            + "0000ffff00000cbc00000000ffffffff")
    /// `tc filter add dev wire parent 1: protocol ip prio 3 u32 match ip protocol 17 0xff match ip dport 4791 0xffff flowid 1:10`
    static let u32Port = bytes(
        "000000000200000000000000000001000800030008000100753332004000020008000100100001003400050001000200000000000000000000000000"
            + "00ff00000011000008000000000000000000ffff000012b71400000000000000")
    /// `tc filter add dev wire parent 1: protocol ip prio 3 u32 match ip tos 0xb8 0xfc flowid 1:10`
    static let u32TOS = bytes(
        "000000000200000000000000000001000800030008000100753332003000020008000100100001002400050001000100000000000000000000000000"
            + "00fc000000b800000000000000000000")
    /// `tc filter add dev wire parent 1: protocol 0x8906 prio 3 u32 match u32 0 0 flowid 1:10`
    static let u32FCoE = bytes(
        "000000000200000000000000000001008906030008000100753332003000020008000100100001002400050001000100000000000000000000000000"
            + "00000000000000000000000000000000")
    /// `tc filter add dev wire parent 1: protocol ip prio 2 handle 800::3 u32 match u16 0x0800 0xffff at -2 match u32 0x00123456 0xffffffff at -12 match u16 0x5254 0xffff at -14 flowid 1:3`
    static let libvirtFloor = bytes(
        "000000000200000003000080000001000800020008000100753332005000020008000100030001004400050001000300000000000000000000000000"
            + "0000ffff00000800fcffffff00000000ffffffff00123456f4ffffff000000000000ffff00005254f0ffffff00000000")
    /// `tc qdisc add dev wire root handle 2: prio bands 4`
    static let prio = bytes(
        "000000000200000000000200ffffffff00000000090001007072696f000000001c000200040000000102020201020000010101010101010104000200")
    /// `tc qdisc add dev wire root handle 3: ets bands 8 strict 2 quanta 1000 2000`
    static let ets = bytes(
        "000000000200000000000300ffffffff00000000080001006574730028000280050001000800000005000200020000001400038008000400e8030000"
            + "08000400d0070000")
    /// `tc qdisc add dev wire parent 1:10 handle 4: fq_codel target 10ms interval 200ms`
    static let fqCoDel = bytes(
        "00000000020000000000040010000100000000000d00010066715f636f64656c000000001400020008000300400d03000800010010270000")
    /// `tc class add dev wire parent 1: classid 1:20 htb rate 100gbit ceil 200gbit burst 1m overhead 24 mpu 64`
    static let htbClass = bytes(
        "000000000200000020000100000001000000000008000100687462004c0002000c00060000dd0ee9020000000c00070000ba1dd20500000030000100"
            + "03011800ffff4000ffffffff03011800ffff4000ffffffff1005000000000000000000000000000000000000")
    /// `tc qdisc add dev wire root tbf rate 10mbit burst 32k latency 50ms peakrate 20mbit mtu 2000`
    static let tbf = bytes(
        "000000000200000000000000ffffffff0000000008000100746266003c0002002800010003010000ffff0000d012130003010000ffff0000a0252600"
            + "24740100f93f0600d4300000080006000080000008000700d0070000")
    /// `bridge vlan add dev wire vid 10-20`
    static let vlanRange = bytes(
        "0700000002000000000000000000000014001a000800020008000a000800020010001400")
    /// `bridge vlan add dev wire vid 30 pvid untagged`
    static let vlanPVID = bytes(
        "070000000200000000000000000000000c001a000800020006001e00")
    /// `ip link add br9 type bridge vlan_filtering 1 ageing_time 6000 mcast_querier 1`
    static let bridge = bytes(
        "0000000000000000000000000000000008000300627239002c0012000a00010062726964676500001c00020005000700010000000800040070170000"
            + "0500190001000000")

    static func bytes(_ hex: String) -> [UInt8] {
        let digits = Array(hex.utf8).map { $0 < 58 ? $0 - 48 : $0 - 87 }
        return stride(from: 0, to: digits.count, by: 2).map { digits[$0] << 4 | digits[$0 + 1] }
    }

    /// The message with a handle, as the kernel answers.
    static func answered(_ message: [UInt8], handle: UInt32 = 1) -> [UInt8] {
        var message = message
        for place in 0..<4 { message[8 + place] = UInt8(truncatingIfNeeded: handle >> UInt32(8 * place)) }
        return message
    }
}
