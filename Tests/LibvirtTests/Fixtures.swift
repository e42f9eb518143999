import Configuration
import Libvirt
import Packet
import Testing

/// The XML of a domain as a hook gets it, but with little more than its interfaces and metadata.
func domainXML(_ interfaces: String, metadata: String = "", name: String = "vm1") -> String {
    """
    <domain type='kvm' id='3' xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>
      <name>\(name)</name>
      <uuid>c7a5fdbd-edaf-9455-926a-d65c16db1809</uuid>
      <metadata>
        <libosinfo:libosinfo xmlns:libosinfo="http://libosinfo.org/xmlns/libvirt/domain/1.0"><libosinfo:os id="http://debian.org/debian/12"/></libosinfo:libosinfo>
        \(metadata)
      </metadata>
      <memory unit='KiB'>262144</memory>
      <memoryBacking><source type='memfd'/><access mode='shared'/></memoryBacking>
      <os><type arch='x86_64' machine='q35'>hvm</type></os>
      <devices>
        <emulator>/usr/bin/qemu-system-x86_64</emulator>
        \(interfaces)
        <memballoon model='none'/>
      </devices>
      <qemu:override><qemu:device alias='net0'/></qemu:override>
    </domain>
    """
}

func interfaceXML(_ mac: String, _ socket: String = "/run/sluice/vm1.sock", mode: String = "server", _ inner: String = "") -> String {
    "<interface type='vhostuser'><mac address='\(mac)'/><source type='unix' path='\(socket)' mode='\(mode)'/><model type='virtio'/>\(inner)</interface>"
}

func sluice(_ interfaces: String) -> String { "<sluice:domain xmlns:sluice='urn:sluice:libvirt:1'>\(interfaces)</sluice:domain>" }

/// The configuration of a host that has one bridge with a rate and one physical port.
func host(_ more: String = "") throws -> Model {
    try Model.checked(
        yaml: """
            bridges: [{name: br0, rate: 10gbit}]
            ports: [{name: uplink, type: physical, bridge: br0, device: "net_af_packet0,iface=eth1", rate: 10gbit}]
            groups: [{name: tenant-a, bridge: br0, inbound: {floor: 2gbit}, outbound: {floor: 1gbit}}]
            protocols: [{name: backup, match: [tcp 873], pcp: 1}]
            \(more)
            """)
}

/// What a domain becomes on that host.
func configuration(_ xml: String, networks: [LibvirtNetwork] = [], in model: Model? = nil, bridge: String? = nil) throws -> LibvirtConfiguration {
    try LibvirtConfiguration(try LibvirtDomain(xml: xml), networks: networks, in: try model ?? host(), bridge: bridge)
}

/// The problems of a domain, one on each line.
func refusal(_ xml: String, networks: [LibvirtNetwork] = []) -> String {
    do {
        _ = try configuration(xml, networks: networks)
        return "accepted"
    } catch {
        return "\(error)"
    }
}

func networkRefusal(_ xml: String) -> String {
    do {
        _ = try LibvirtNetwork(xml: xml)
        return "accepted"
    } catch {
        return "\(error)"
    }
}
