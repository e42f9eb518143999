import Configuration
import Testing

@Suite struct DeviceStringTests {
    @Test func keysAreFoundAfterTheName() {
        let device = DeviceString("net_af_packet0,iface=eth1,framesz=4096")
        #expect(device.value(of: "iface") == "eth1" && device.value(of: "framesz") == "4096")
        #expect(device.value(of: "frames") == nil && device.value(of: "net_af_packet0") == nil)
        #expect(DeviceString("iface=eth1").value(of: "iface") == nil)
        #expect(device.isAFPacket && !device.isAFXDP && !device.isMemif)
    }

    /// A frame of the MTU, with two tags and the kernel's header, fits into a slot of the ring, and the slots fill blocks of whole pages (packet(7)).
    @Test(arguments: [68, 1_500, 1_959, 1_960, 3_000, 8_999, 9_000])
    func ringsHoldFramesOfTheMTU(_ mtu: Int) {
        let ring = PacketRing(mtu: mtu)
        #expect(ring.longestMTU >= mtu && ring.slot >= mtu + 22 + 66 && ring.slot % 16 == 0 && ring.slot * 4 % 4_096 == 0)
        let text = DeviceString("net_af_packet0,iface=eth1").carrying(mtu: mtu)
        #expect(text == "net_af_packet0,iface=eth1,framesz=\(ring.slot),blocksz=\(4 * ring.slot),framecnt=512")
        // Each frame must fit into one receive buffer.
        #expect(DeviceString(text).bufferSize(mtu: mtu) == ring.slot && DeviceString(text).longestMTU(bufferSize: 2_048) == ring.longestMTU)
    }

    @Test(arguments: [
        ("net_memif0,role=server,id=0,socket=/run/a,socket-abstract=no", "/run/a"), ("net_memif0,socket-abstract=no,role=server", "/run/memif.sock"),
        ("net_memif0,role=server,socket=/run/a", nil), ("net_memif0,role=client,socket=/run/a,socket-abstract=no", nil),
        ("net_memif0,socket=/run/a,socket-abstract=no", nil), ("net_tap0,role=server,socket=/run/a,socket-abstract=no", nil),
    ] as [(String, String?)])
    func aMemifServerListensOnAFile(_ text: String, _ socket: String?) {
        #expect(DeviceString(text).memifServerSocket == socket)
    }

    @Test func whatIsWrittenStays() {
        let packet = DeviceString("net_af_packet0,iface=eth1,framesz=4096")
        #expect(packet.carrying(mtu: 9_000) == packet.text && packet.bufferSize(mtu: 9_000) == 4_096)
        #expect(packet.longestMTU(bufferSize: 2_048)! < 4_096 - 88)
        let memif = DeviceString("net_memif0,role=server,bsize=3000")
        #expect(memif.carrying(mtu: 9_000) == memif.text && memif.longestMTU(bufferSize: 2_048) == 3_000 - 22)
        let shared = DeviceString("net_memif0,role=client,zero-copy=yes")
        #expect(shared.carrying(mtu: 9_000) == shared.text && shared.longestMTU(bufferSize: 4_096) == 4_096 - 22)
    }

    @Test func memifBuffersGrowWithTheMTU() {
        let memif = DeviceString("net_memif0,role=server")
        #expect(memif.carrying(mtu: 1_500) == memif.text && memif.longestMTU(bufferSize: 65_536) == 2_026)
        #expect(memif.carrying(mtu: 2_026) == memif.text)
        #expect(memif.carrying(mtu: 2_027) == memif.text + ",bsize=2112")
        #expect(memif.carrying(mtu: 9_000) == memif.text + ",bsize=9024")
        #expect(DeviceString(memif.carrying(mtu: 9_000)).longestMTU(bufferSize: 2_048)! >= 9_000)
    }

    /// XDP reserves 256 bytes of headroom, and DPDK uses 320 bytes of a page in front of a buffer's data.
    @Test func xdpFramesFitABufferAndAPage() {
        #expect(DeviceString.longestXDPMTU(bufferSize: 2_048) == 1_770)
        #expect(DeviceString.longestXDPMTU(bufferSize: 9_216) == 4_096 - 320 - 256 - 22)
        #expect(DeviceString("net_af_xdp0,iface=eth1").longestMTU(bufferSize: 2_048) == 1_770)
        #expect(DeviceString("0000:01:00.0").longestMTU(bufferSize: 2_048) == nil)
        #expect(DeviceString("0000:01:00.0").carrying(mtu: 9_000) == "0000:01:00.0")
    }

    /// `check` refuses a device that cannot carry the port's frames as it is written, and says what to write.
    @Test func whatADeviceCannotCarryIsRefused() {
        func told(_ device: String, _ mtu: Int) -> [String] {
            problems("bridges: [{name: br0}]\nports: [{name: up, type: physical, bridge: br0, device: \"\(device)\", mtu: \(mtu)}]\n")
        }
        #expect(told("net_af_xdp0,iface=eth1", 1_770) == [])
        #expect(told("net_af_xdp0,iface=eth1", 1_771).first?.contains(
            "net_af_xdp0 carries an mtu of 1770 at most: write that or less, or the interface's name as the device (`device: eth1`), which AF_PACKET drives then") == true)
        #expect(told("net_af_packet0,iface=eth1,framesz=2048", 1_959) == [])
        #expect(told("net_af_packet0,iface=eth1,framesz=2048", 1_960).first?.contains("or leave framesz and blocksz out, which sluiced sets by the mtu") == true)
        #expect(told("net_memif0,bsize=2048", 9_000).first?.contains("net_memif0 carries an mtu of 2026 at most: write that or less, or leave bsize out") == true)
        #expect(told("net_memif0,zero-copy=yes", 9_000).first?.contains("or raise daemon.buffer-size, or leave zero-copy out") == true)
        for device in ["eth1", "net_af_packet0,iface=eth1", "net_memif0", "0000:01:00.0"] { #expect(told(device, 9_000) == [], "\(device)") }
    }

    @Test func anotherInterface() {
        #expect(DeviceString("net_af_packet0,iface=eth1").on(interface: "lan0") == "net_af_packet0,iface=lan0")
        #expect(DeviceString("net_af_xdp0,iface=eth1,start_queue=0,,").on(interface: "lan0") == "net_af_xdp0,iface=lan0,start_queue=0,,")
        #expect(DeviceString("net_null0,no-rx=1").on(interface: "lan0") == "net_null0,no-rx=1")
    }
}
