//! Turns a configuration that we ship into one for this machine: other addresses, the rest as it stands.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::envoy::tool;

/// A file of this repository.
pub fn in_repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)
}

/// Who is where.
pub(crate) struct Neighbours {
    pub(crate) application: SocketAddr,
    pub(crate) wechat: SocketAddr,
    pub(crate) resolver: SocketAddr,
    /// Whom to trust, where WeChat and the resolver are reached over TLS.
    pub(crate) trusted_ca: Option<PathBuf>,
}

/// An Envoy configuration under change.
pub(crate) struct Rendering {
    pub(crate) envoy: Value,
    /// The filter's own configuration, put back by [`Rendering::finish`].
    pub(crate) filter: Value,
}

impl Rendering {
    pub(crate) fn load(path: &str) -> Self {
        let text = std::fs::read_to_string(in_repository(path)).unwrap_or_else(|error| panic!("{path}: {error}"));
        let mut envoy: Value = yaml_serde::from_str(&text).unwrap_or_else(|error| panic!("{path}: {error}"));
        let filter = serde_json::from_str(plugin(&mut envoy)["configuration"]["value"].as_str().expect("the filter's configuration"));
        Self { envoy, filter: filter.unwrap_or_else(|error| panic!("{path}: the filter's configuration: {error}")) }
    }

    /// The filter's configuration as tests have it unless they change it: this origin, this WeChat, quick polls.
    pub(crate) fn localise_filter(&mut self, origin: &str, wechat: &str) {
        self.filter["wechat"]["open_origin"] = wechat.into();
        self.filter["identity"]["issuer"] = origin.into();
        self.filter["revocation"]["poll_seconds"] = 1.into();
        let shop = &mut self.filter["applications"][0];
        shop["origin"] = origin.into();
        shop["hosts"] = json!([]);
    }

    /// Plain HTTP on loopback on both sides; the rest stays.
    pub(crate) fn localise_envoy(&mut self, listen: SocketAddr, neighbours: &Neighbours) {
        self.envoy["admin"] = address(SocketAddr::from(([127, 0, 0, 1], 0)));
        let domains = self.domains();
        let plain_headers = self.filter["identity"]["claim_headers"].as_object().into_iter().flat_map(|map| map.keys());
        let own_headers: Vec<_> = std::iter::once(self.filter["identity"]["header"].as_str().unwrap_or("x-wxgate-identity"))
            .chain(plain_headers.map(String::as_str))
            .map(|name| json!({"remove": name}))
            .collect();
        let listener = &mut self.envoy["static_resources"]["listeners"][0];
        listener["address"] = address(listen)["address"].take();
        remove(listener, "listener_filters");
        remove(&mut listener["filter_chains"][0], "transport_socket");
        remove(&mut listener["filter_chains"][0], "transport_socket_connect_timeout");
        let manager = connection_manager(&mut self.envoy);
        if let Some(mutations) = manager.pointer_mut("/early_header_mutation_extensions/0/typed_config/mutations") {
            *mutations = own_headers.into();
        }
        manager["route_config"]["virtual_hosts"][0]["domains"] = domains;
        let vm = &mut plugin(&mut self.envoy)["vm_config"];
        vm["code"]["local"] = json!({"filename": tool("WXGATE_WASM")});
        let trusted_ca = neighbours.trusted_ca.as_deref();
        self.move_cluster("shop", neighbours.application, None);
        self.move_cluster("wechat_api", neighbours.wechat, trusted_ca);
        self.move_cluster("wxgate_resolver", neighbours.resolver, trusted_ca);
        let clusters = self.envoy["static_resources"]["clusters"].as_array().expect("clusters");
        if clusters.iter().any(|cluster| cluster["name"] == "wxgate_resolver_waiting") {
            self.move_cluster("wxgate_resolver_waiting", neighbours.resolver, trusted_ca);
        }
    }

    fn move_cluster(&mut self, name: &str, to: SocketAddr, trusted_ca: Option<&Path>) {
        let clusters = self.envoy["static_resources"]["clusters"].as_array_mut().expect("clusters");
        let cluster = clusters.iter_mut().find(|cluster| cluster["name"] == name).unwrap_or_else(|| panic!("no cluster {name}"));
        cluster["type"] = "STATIC".into();
        cluster["load_assignment"]["endpoints"][0]["lb_endpoints"][0]["endpoint"] = address(to);
        match trusted_ca {
            Some(file) => {
                let validation = cluster.pointer_mut("/transport_socket/typed_config/common_tls_context/validation_context");
                validation.expect("a cluster that verifies")["trusted_ca"] = json!({"filename": file});
            }
            None => remove(cluster, "transport_socket"),
        }
    }

    /// All hosts of all applications, with any port.
    fn domains(&self) -> Value {
        let mut domains = Vec::new();
        for application in self.filter["applications"].as_array().into_iter().flatten() {
            let origin = application["origin"].as_str().unwrap_or_default();
            let (authority, _) = crate::visitor::split_url(origin);
            let host = authority.rsplit_once(':').map_or(authority.as_str(), |(host, _)| host).to_owned();
            let others = application["hosts"].as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned);
            for host in std::iter::once(host).chain(others) {
                domains.extend([format!("{host}:*"), host]);
            }
        }
        domains.sort();
        domains.dedup();
        domains.into()
    }

    /// Envoy's own jwt_authn behind the filter; keys come from the gate itself.
    pub(crate) fn add_jwt_authn(&mut self, gate: SocketAddr) {
        let (issuer, header) = (self.filter["identity"]["issuer"].clone(), self.filter["identity"]["header"].clone());
        let audiences: Vec<_> = self.filter["applications"].as_array().into_iter().flatten().map(|each| each["id"].clone()).collect();
        let authority = format!("{gate}");
        let filter = json!({
            "name": "envoy.filters.http.jwt_authn",
            "typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.filters.http.jwt_authn.v3.JwtAuthentication",
                "providers": {"wxgate": {
                    "issuer": issuer,
                    "audiences": audiences,
                    "from_headers": [{"name": header}],
                    "forward": true,
                    "forward_payload_header": "x-verified-payload",
                    "remote_jwks": {"http_uri": {"uri": format!("http://{authority}/wxgate/jwks.json"), "cluster": "gate", "timeout": "5s"}},
                }},
                "rules": [{"match": {"prefix": "/"}, "requires": {"requires_any": {"requirements": [
                    {"provider_name": "wxgate"}, {"allow_missing": {}},
                ]}}}],
            },
        });
        let filters = connection_manager(&mut self.envoy)["http_filters"].as_array_mut().expect("filters");
        filters.insert(filters.len() - 1, filter);
        let cluster = json!({"name": "gate", "type": "STATIC", "connect_timeout": "2s", "load_assignment": {
            "cluster_name": "gate", "endpoints": [{"lb_endpoints": [{"endpoint": address(gate)}]}],
        }});
        self.envoy["static_resources"]["clusters"].as_array_mut().expect("clusters").push(cluster);
    }

    /// Takes the rate limit away, filter and routes' settings.
    pub(crate) fn remove_rate_limit(&mut self) {
        const NAME: &str = "envoy.filters.http.local_ratelimit";
        let manager = connection_manager(&mut self.envoy);
        manager["http_filters"].as_array_mut().expect("filters").retain(|filter| filter["name"] != NAME);
        for host in manager["route_config"]["virtual_hosts"].as_array_mut().into_iter().flatten() {
            for route in host["routes"].as_array_mut().into_iter().flatten() {
                if let Some(settings) = route["typed_per_filter_config"].as_object_mut() {
                    settings.remove(NAME);
                }
            }
        }
    }

    /// Envoy's configuration with the filter's put back.
    pub(crate) fn finish(mut self) -> Value {
        let text = self.filter.to_string();
        plugin(&mut self.envoy)["configuration"]["value"] = text.into();
        self.envoy
    }
}

/// The HTTP connection manager of the first listener.
pub fn connection_manager(envoy: &mut Value) -> &mut Value {
    &mut envoy["static_resources"]["listeners"][0]["filter_chains"][0]["filters"][0]["typed_config"]
}

/// The plugin configuration of the filter.
pub fn plugin(envoy: &mut Value) -> &mut Value {
    let filters = connection_manager(envoy)["http_filters"].as_array_mut().expect("http_filters");
    let filter = filters.iter_mut().find(|filter| filter["name"] == "wxgate").expect("a filter named wxgate");
    &mut filter["typed_config"]["config"]
}

fn address(of: SocketAddr) -> Value {
    json!({"address": {"socket_address": {"address": of.ip().to_string(), "port_value": of.port()}}})
}

fn remove(from: &mut Value, key: &str) {
    if let Some(object) = from.as_object_mut() {
        object.remove(key);
    }
}
