import Configuration
import Libvirt
import Packet

/// The XML of a libvirt domain, and behind NUL octets that of networks. What is accepted becomes a part of the configuration that reads back as the same.
func fuzzDomain(_ bytes: [UInt8]) {
    let documents = bytes.split(separator: 0, maxSplits: 3, omittingEmptySubsequences: false).map { Array($0) }
    let networks = documents.dropFirst().compactMap { xml -> LibvirtNetwork? in
        do throws(ConfigurationError) {
            let network = try LibvirtNetwork(xml: xml)
            if let command = network.command(bridge: "br0") {
                _ = accepted("the command of a network sets a rate: \(command)") { () throws(ConfigurationError) in try host.edited("bridge", "set", command.words) }
            }
            return network
        } catch {
            check(error, lines: lineCount(xml))
            return nil
        }
    }
    let domain: LibvirtDomain, result: LibvirtConfiguration
    do throws(ConfigurationError) {
        domain = try LibvirtDomain(xml: documents[0])
        _ = domain.networks
        claim(Part.isName(LibvirtConfiguration.partName(domain.name)), "a part can be named after a domain: \(domain.name)")
        result = try LibvirtConfiguration(domain, networks: networks, in: host)
    } catch {
        check(error, lines: lineCount(documents[0]))
        return
    }
    for note in result.notes { check(sentence: note.sentence) }
    claim(Set(result.part.ports.map(\.name)).count == domain.interfaces.count, "each interface has a port")
    let yaml = result.part.yaml
    let again = accepted("a domain's part can be read:\n\(yaml)") { () throws(ConfigurationError) in try Model(yaml: yaml) }
    claim(again == result.part, "a domain's part reads back as the same:\n\(yaml)")
    do throws(ConfigurationError) {
        let whole = try host.replacing(nil, with: result)
        let stopped = accepted("a domain that was started can be stopped") { () throws(ConfigurationError) in try whole.replacing(result, with: nil) }
        claim(stopped == host, "after a domain was stopped the model is as before")
    } catch { check(error) }
}

private func lineCount(_ xml: [UInt8]) -> Int { xml.count { $0 == 0x0a } + 1 }

private let host: Model = accepted("the host is valid") { () throws(ConfigurationError) in
    try Model.checked(
        yaml: """
            bridges: [{name: br0, rate: 10gbit}]
            ports: [{name: uplink, type: physical, bridge: br0, device: "net_af_packet0,iface=eth1", rate: 10gbit}]
            groups: [{name: tenant-a, bridge: br0, inbound: {floor: 2gbit}, outbound: {floor: 1gbit}}]
            protocols: [{name: backup, match: [tcp 873], pcp: 1}]
            """)
}
