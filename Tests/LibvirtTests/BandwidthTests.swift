import Configuration
import Libvirt
import Testing

/// The values come from libvirt's own test cases (tests/virnetdevbandwidthtest.c and its network XML).
@Suite struct BandwidthTests {
    typealias Limits = LibvirtBandwidth.Limits

    private func read(_ inner: String) throws -> LibvirtBandwidth? {
        try LibvirtDomain(xml: domainXML(interfaceXML("52:54:00:00:00:01", "<bandwidth>\(inner)</bandwidth>"))).interfaces[0].bandwidth
    }

    private func interfaceXML(_ mac: String, _ inner: String) -> String {
        "<interface type='vhostuser'><mac address='\(mac)'/><source type='unix' path='/run/1.sock' mode='server'/>\(inner)</interface>"
    }

    private func refusal(_ inner: String) -> String { LibvirtTests.refusal(domainXML(interfaceXML("52:54:00:00:00:01", "<bandwidth>\(inner)</bandwidth>"))) }

    @Test func anAverageBoundsTheClass() throws {
        let settings = try #require(try read("<inbound average='1024'/>")).inboundClass
        #expect(settings.ceiling == 8_192_000)
        #expect(settings.floor == nil && settings.peak == nil && settings.ceilingBurst == nil)
    }

    /// For this element libvirt passes `rate 1024kbps burst 1024kb` to tc.
    @Test func anAverageAloneIsTheBurstOfTheWayOut() throws {
        #expect(try read("<outbound average='1024'/>")?.outboundPace == PaceSettings(average: 8_192_000, burst: 1_048_576))
    }

    @Test func everyAttributeHasItsPlace() throws {
        let bandwidth = try #require(try read("<inbound average='1' peak='2' burst='4'/><outbound average='5' peak='6' burst='7'/>"))
        #expect(bandwidth == LibvirtBandwidth(inbound: Limits(average: 1, peak: 2, burst: 4), outbound: Limits(average: 5, peak: 6, burst: 7)))
        let settings = bandwidth.inboundClass
        #expect(settings.ceiling == 8_000 && settings.peak == 16_000 && settings.ceilingBurst == 4_096 && settings.floor == nil)
        #expect(bandwidth.outboundPace == PaceSettings(average: 40_000, peak: 48_000, burst: 7_168))
        #expect(bandwidth.notes == [])
    }

    /// libvirt's largest value is about 34 Tbit/s, which is no limit because nothing can reach it.
    @Test func theLargestOfLibvirtsValuesAreNoLimit() throws {
        let bandwidth = try #require(try read("<inbound average='4294967295'/><outbound average='4294967295'/>"))
        #expect(bandwidth.inboundClass == ClassSettings())
        #expect(bandwidth.outboundPace == nil)
        #expect(
            bandwidth.notes == ["inbound", "outbound"].map { "\($0) average='4294967295' is faster than 400gbit, which Sluice counts up to: it is no limit" })
    }

    @Test func anEmptyElementMeansNothing() throws {
        #expect(try read("") == nil)
        #expect(LibvirtBandwidth().inboundClass == ClassSettings())
        #expect(LibvirtBandwidth().outboundPace == nil)
        // A value of 0 counts as not set, because libvirt leaves it out when it writes the XML back.
        let zero = try #require(try read("<inbound average='0'/><outbound average='0' peak='5' burst='6'/>"))
        #expect(zero.inboundClass == ClassSettings() && zero.outboundPace == nil && zero.notes == [])
        #expect(try read("<inbound average='0' floor='0'/>")?.inboundClass == ClassSettings())
    }

    @Test func whatCannotBeKeptIsTold() throws {
        let bandwidth = LibvirtBandwidth(inbound: Limits(average: 1_000, peak: 500, burst: 4_194_303), outbound: Limits(average: 1_000, peak: 4_294_967_295))
        #expect(bandwidth.inboundClass.peak == nil && bandwidth.inboundClass.ceilingBurst == 512 << 20)
        #expect(bandwidth.outboundPace == PaceSettings(average: 8_000_000, burst: 1_024_000))
        #expect(
            bandwidth.notes == [
                "inbound peak='500' is below the average, which could never be reached: it is left out",
                "inbound burst='4194303' is larger than 512mib: it is that",
                "outbound peak='4294967295' is faster than 400gbit: it is left out",
            ])
    }

    @Test func whatLibvirtRefusesIsRefused() {
        #expect(refusal("<inbound/>") == "line 13: interface 52:54:00:00:00:01.bandwidth.inbound: it needs average='...'")
        #expect(refusal("<inbound peak='5'/>").contains("a peak needs an average: add average='...'"))
        #expect(refusal("<inbound burst='5'/>").contains("a burst needs an average"))
        #expect(refusal("<inbound peak='5' floor='5'/>").contains("a peak needs an average"))
        #expect(refusal("<outbound/>").contains("outbound: it needs average"))
        #expect(refusal("<outbound peak='5' burst='6'/>").contains("a burst needs an average"))
        #expect(refusal("<inbound average='5'/><inbound average='6'/>").contains("<inbound> stands twice"))
        for text in ["", "-1", "1.5", "1k", "0x10", "99999999999999999999", "1125899906842625"] {
            #expect(refusal("<inbound average='\(text)'/>").contains("'\(text)' is not a whole number from 0 to"), "\(text)")
        }
        #expect(refusal("<inbound average='5' burst='x'/>").contains("write it in units of 1024 bytes"))
        #expect(refusal("<inbound average='5'/><outbound average='5' peak='6' burst='7'/><nonsense/>") == "accepted")
    }

    @Test func aFloorIsSentToTheMetadata() {
        #expect(
            refusal("<inbound average='5' floor='1'/>")
                == "line 13: interface 52:54:00:00:00:01.bandwidth.inbound: floor='1' does not belong here: libvirt refuses it for interfaces of type vhostuser, write it"
                + " in the domain's metadata: <interface mac='52:54:00:00:00:01'><inbound floor='100mbit'/></interface>")
        #expect(refusal("<inbound floor='200'/>").contains("floor='200' does not belong here"))
        #expect(refusal("<outbound floor='1'/>").contains("floor='1' does not belong here"))
        #expect(refusal("<outbound average='5' floor='1'/>").contains("floor='1' does not belong here"))
    }
}
