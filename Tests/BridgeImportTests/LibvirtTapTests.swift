import BridgeImport
import Configuration
import Packet
import Testing

@Suite("libvirt's status files")
struct LibvirtTapTests {
    private static func status(_ interfaces: String) -> [UInt8] {
        Array("<domstatus state='running' pid='7'><domain type='qemu'><name>web</name><devices>\(interfaces)</devices></domain></domstatus>".utf8)
    }

    @Test func tapsWithTheirBandwidth() throws {
        let taps = try LibvirtTap.read(
            Self.status(
                """
                <interface type='network'><mac address='52:54:00:00:00:01'/><target dev='vnet0'/><driver queues='4'/>
                  <bandwidth><inbound average='1000' peak='2000' floor='500' burst='64'/><outbound average='128'/></bandwidth></interface>
                <interface type='bridge'><mac address='52:54:00:00:00:02'/><target dev='vnet1'/></interface>
                <interface type='vhostuser'><mac address='52:54:00:00:00:03'/><target dev='vhost0'/></interface>
                """))
        var first = LibvirtTap(domain: "web", device: "vnet0", mac: Fixtures.mac(1))
        first.queues = 4
        first.ofDomain = 2
        first.inbound = .init(average: 1_000, peak: 2_000, floor: 500, burst: 64)
        first.outbound = .init(average: 128)
        #expect(taps.first == first && taps.map(\.device) == ["vnet0", "vnet1"])
    }

    @Test func whatIsNoDomainHasNoTaps() throws {
        #expect(try LibvirtTap.read(Array("<networkstatus><network><name>default</name></network></networkstatus>".utf8)).isEmpty)
        #expect(throws: ConfigurationError.self) { try LibvirtTap.read(Array("<domstatus><domain>".utf8)) }
        #expect(try LibvirtTap.read(Self.status("<interface type='bridge'><mac address='nonsense'/><target dev='vnet0'/></interface>")).isEmpty)
    }
}
