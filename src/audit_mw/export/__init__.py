# Records in the forms that others read: OCSF, ECS, CEF, Parquet.
