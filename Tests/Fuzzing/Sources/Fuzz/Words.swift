import Configuration
import ControlAPI

/// The words that inputs are made of. libFuzzer sees no comparisons of Swift strings, so it would hardly find any of them.
enum Words {
    static var all: [String] {
        switch Target.current {
        case .requests: json + methodNames.map { "\"\($0)\"" } + params.map { "\"\($0)\":" } + objects
        case .documents, .growth: yaml + keys.map { "\($0): " } + values
        case .edits: ["\n"] + objects + verbs + keys.map { "\($0) " } + values.map { "\($0) " }
        case .domains: xml
        case .states:
            json + [
                "\"generation\":1", "\"ids\":{\"trees\":{", "\"journal\":true", "\"parts\":{", "\"version\":2", "\"yaml\":\"", "{\"edit\":{",
                "{\"part\":{", "{\"document\":{", "\"object\":", "\"verb\":", "\"words\":[",
            ] + objects + verbs
        case .groups, .frames:
            [
                "0800", "86dd", "8100", "88a8", "9100", "4500", "4600", "6000", "94040000", "3a", "3a000502", "02", "67", "11", "16", "17", "22",
                "30", "01005e", "3333", "ff02", "fe80", "ef", "\n", "~",
            ]
        case .discovery:
            // The beginnings of TLVs, and of those of DCBX.
            [
                "020704", "0207045254000000", "020207", "040305", "060200", "06020078", "0800", "0a00", "0c00", "0e0400140004", "100c0501c0000207",
                "0000", "\n", "fe190080c209", "fe190080c20a", "fe060080c20b", "fe080080c20c00", "fe0b0080c20c00", "fe07001b2102", "fe0400120f",
                "0202020000000000", "3c28000000000000", "6402", "8906", "0cbc", "80", "00", "ff",
            ]
        case .logins:
            // Beginnings of frames, addresses, headers with operation and subcode, and descriptors.
            [
                "0e210", "1e000", "0110180100040200000000018914", "02000000000102000000fc018914", "0110180100020efd00004711", "89141000",
                "000100010000", "000100020002", "000200010000", "00020002000a", "0003000100", "000300020005", "000400010000", "000500010000", "000500030007", "000500050007", "0202", "0b05", "0708",
                "0808", "0908", "0c02", "04000000", "51000000", "05000000", "02000000", "01000000", "0efd00004711", "0efc00010203", "00ff", "ffff", "\n",
            ]
        case .messages:
            // Requests with their flags and descriptors, and numbers that matter.
            ["0101", "0201", "0301", "0401", "050340", "05054041", "060340", "0801", "0901", "0a01", "0b01", "0c0301", "0d0301", "0e0302", "0f01", "1001", "1101", "1201"]
                + ["1301", "1401", "150303", "2201", "2401", "250340", "2503c0", "2601", "2701", "2801", "0000000000700000", "0000100000000000", "00000000", "01000000"]
                + ["00010000", "00800000", "ffffffffffffffff", "0f00000000000000", "\n"]
        case .rings:
            // Kinds of rings, and the beginnings of steps.
            ["0004", "0105", "0308", "1b08", "2b3f", "000000005a00", "00010040c80002", "008000001000", "0100", "01000102030405", "021f", "0301", "0304ff", "0400", "0500", "0501"]
                + ["06", "060000", "0700", "0701", "0702", "0008", "000a", "0009", "0018", "00ff", "\n"]
        case .filters:
            [
                "tcp", "udp", "ip", "ip6", "arp", "port ", "host 10.0.0.5", "net 10.0.0.0/8", "and ", "or ", "not ", "vlan ", "ether", "src ",
                "dst ", "[", "]", "& ", "= ", "> ", "len", "ether proto 0x0806", "ip[8] - 1", "tcp[13]", "\n", "=",
            ]
        }
    }

    private static let json = [
        "{", "}", "[", "]", ",", ":", "null", "true", "false", "\"jsonrpc\":\"2.0\"", "\"id\":1", "\"method\":", "\"params\":{", "\\u0000",
        "\\ud83d\\ude00", "1e9", "-1", "9223372036854775807", "\n",
    ]
    private static let params = [
        "name", "words", "yaml", "dry_run", "dryRun", "object", "verb", "bridge", "port", "vlan", "tree", "path", "stages", "stalls", "if_there",
        "mac", "cpu",
    ]
    private static let yaml = [
        "\n", "\n  ", "\n- ", "- {", "{", "}", "[", "]", ", ", ": ", "&a ", "*a", "!!str ", "|\n", ">\n", "\"", "'", "---\n", "...\n", "# ", "<<: ",
        "? ",
    ]
    private static let values = [
        "br0", "vm1", "uplink", "tenant-a", "vhost", "tap", "physical", "on", "off", "none", "default", "0", "1", "4094", "65535", "-1", "1gbit",
        "500mbit", "8kbit", "64kib", "1mib", "1kpps",
        "52:54:00:00:00:01", "/run/sluice/vm1.sock", "10.0.0.1", "2001:db8::/64", "iscsi", "[tcp 873]", "codel", "net_af_packet0,iface=eth1",
        "inbound", "outbound", "both", "ff:ff:ff:ff:ff:ff", "ingress", "egress", "100us", "5ms",
    ]
    private static let objects = EditObject.allCases.map(\.rawValue)
    private static let verbs = EditVerb.allCases.map(\.rawValue)
    private static let xml = [
        "<domain>", "</domain>", "<name>", "</name>", "<devices>", "</devices>", "<interface type='vhostuser'>", "</interface>",
        "<mac address='52:54:00:00:00:01'/>",
        "<source type='unix' path='/a' mode='server'/>", "<bandwidth>", "</bandwidth>", "<inbound ", "<outbound ", "average='1'", "peak='1'",
        "burst='1'", "floor='1'", "<vlan trunk='yes'>", "</vlan>",
        "<tag id='1' nativeMode='untagged'/>", "<mtu size='1500'/>", "<driver queues='2'/>", "<target dev='a'/>", "<port isolated='yes'/>",
        "<virtualport type='openvswitch'>", "</virtualport>",
        "<metadata>", "</metadata>", "<domain xmlns='urn:sluice:libvirt:1'>", "<interface mac='52:54:00:00:00:01'", "<protocol name='iscsi'>",
        "</protocol>", "<network>", "</network>",
        "<portgroup name='a' default='yes'>", "</portgroup>", "<bridge name='br0'/>", "<!--", "-->", "<![CDATA[", "]]>", "<?a ?>",
        "<?xml version='1.0'?>", "&lt;", "&#65;", "&#x10FFFF;", "xmlns:a='b'", "a:b", "%00",
        "network='office'", "group='tenant-a'", "name='x'", "bridge='br0'", "portgroup='gold'",
    ] + keys.map { "\($0)='" }

    /// All keys of the configuration.
    private static let keys: [String] = {
        var found: Set<String> = []
        func collect(_ document: Document) {
            switch document {
            case .list(let items): for item in items { collect(item) }
            case .map(let entries):
                for (key, value) in entries {
                    if key == "properties", case .map(let properties) = value { found.formUnion(properties.map(\.key)) }
                    if key == "enum", case .list(let words) = value { for case .text(let word) in words { found.insert(word) } }
                    collect(value)
                }
            default: break
            }
        }
        collect(Model.schema)
        return found.sorted()
    }()
}
